//! Opens readers of a format for a kind of rows: the readers, which know the kind, become sources of its batches, which
//! [`files`](super::files) and [`Batches`](super::Batches) hold without knowing it.

use super::arrow_columns::ArrowChunk;
#[cfg(feature = "csv")]
use super::csv::CsvSource;
use super::input_limits::Capped;
use super::ipc::IpcSource;
#[cfg(feature = "json")]
use super::jsonl::JsonlSource;
#[cfg(feature = "parquet")]
use super::parquet::{Opened, ParquetSource};
use super::portions::TextPart;
use super::random_access::RandomAccess;
use super::row_kind::TextRowKind;
#[cfg(any(feature = "csv", feature = "json"))]
use super::text_input::decoded;
use super::{Chunk, Source};
#[allow(unused_imports)]
use crate::base::error::{Error, Result};
use crate::model::note::Notes;
use crate::model::period_batch::Origin;
#[cfg(feature = "csv")]
use crate::model::read_options::Encoding;
use crate::model::read_options::ReadOptions;
use arrow::array::RecordBatch;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

/// An input that can be read once, from its beginning.
type Bytes = Box<dyn Read + Send>;

/// The records of a text to read after its header, instead of all.
type Rest = (Bytes, TextPart);

/// Opens inputs.
pub(super) trait Open<B>: Send + Sync {
    /// A Parquet file, or some of its row groups.
    fn parquet(
        &self,
        file: RandomAccess,
        origin: Arc<Origin>,
        batch_rows: usize,
        groups: Option<Range<usize>>,
    ) -> Result<Box<dyn Source<B>>>;
    /// The sizes of a Parquet file's row groups.
    fn row_groups(&self, file: File, origin: Arc<Origin>) -> Result<Vec<u64>>;
    fn arrow_file(&self, file: File, origin: Arc<Origin>) -> Result<Box<dyn Source<B>>>;
    fn arrow_stream(&self, reader: Bytes, origin: Arc<Origin>) -> Result<Box<dyn Source<B>>>;
    /// A batch that is there already.
    fn arrow_batch(&self, batch: RecordBatch, origin: &Arc<Origin>, first_row: u64) -> Result<Box<dyn Chunk<B>>>;
    fn csv(&self, reader: Bytes, origin: Arc<Origin>, batch_rows: usize, rest: Option<Rest>) -> Result<Box<dyn Source<B>>>;
    /// The parts of a CSV, of so many bytes about; nothing where its bytes are not those of its text.
    fn text_parts(&self, reader: Bytes, origin: Arc<Origin>, bytes: u64) -> Result<Vec<TextPart>>;
    fn jsonl(&self, reader: Bytes, origin: Arc<Origin>, batch_rows: usize) -> Result<Box<dyn Source<B>>>;
    /// What is noticed about what was opened.
    fn notes(&self) -> Notes;
    /// How rows are read.
    fn reading(&self) -> &ReadOptions;
}

/// Opens inputs whose rows have a kind.
pub(super) struct As<S, const N: usize>(pub(super) S);

impl<S: TextRowKind<N>, const N: usize> As<S, N> {
    fn capped(&self, source: impl Source<S::Batch> + 'static, origin: &Arc<Origin>) -> Box<dyn Source<S::Batch>> {
        Box::new(Capped::new(source, self.0.reading(), origin))
    }
}

impl<S: TextRowKind<N>, const N: usize> Open<S::Batch> for As<S, N> {
    fn notes(&self) -> Notes {
        self.0.notes()
    }

    fn reading(&self) -> &ReadOptions {
        self.0.reading()
    }

    #[cfg(feature = "parquet")]
    fn parquet(
        &self,
        file: RandomAccess,
        origin: Arc<Origin>,
        batch_rows: usize,
        groups: Option<Range<usize>>,
    ) -> Result<Box<dyn Source<S::Batch>>> {
        Ok(self.capped(ParquetSource::open(file, origin.clone(), &self.0, batch_rows, groups)?, &origin))
    }

    #[cfg(feature = "parquet")]
    fn row_groups(&self, file: File, origin: Arc<Origin>) -> Result<Vec<u64>> {
        let opened = Opened::new(file.into(), origin, &self.0, 1)?;
        Ok(opened.groups().iter().map(|group| u64::try_from(group.compressed_size()).unwrap_or(0)).collect())
    }

    #[cfg(not(feature = "parquet"))]
    fn row_groups(&self, _: File, _: Arc<Origin>) -> Result<Vec<u64>> {
        Err(Error::left_out("Parquet", "parquet"))
    }

    #[cfg(not(feature = "parquet"))]
    fn parquet(&self, _: RandomAccess, _: Arc<Origin>, _: usize, _: Option<Range<usize>>) -> Result<Box<dyn Source<S::Batch>>> {
        Err(Error::left_out("Parquet", "parquet"))
    }

    fn arrow_file(&self, file: File, origin: Arc<Origin>) -> Result<Box<dyn Source<S::Batch>>> {
        Ok(self.capped(IpcSource::<S>::open_file(file, origin.clone(), &self.0)?, &origin))
    }

    fn arrow_stream(&self, reader: Bytes, origin: Arc<Origin>) -> Result<Box<dyn Source<S::Batch>>> {
        Ok(self.capped(IpcSource::<S>::open_stream(reader, origin.clone(), &self.0)?, &origin))
    }

    fn arrow_batch(&self, batch: RecordBatch, origin: &Arc<Origin>, first_row: u64) -> Result<Box<dyn Chunk<S::Batch>>> {
        let columns = self.0.resolve(&batch.schema(), origin)?;
        let chunk: Box<dyn Chunk<S::Batch>> = Box::new(ArrowChunk { batch, columns, first_row, bytes: 0 });
        Ok(Box::new(Capped::new(chunk, self.0.reading(), origin)))
    }

    #[cfg(feature = "csv")]
    fn csv(&self, reader: Bytes, origin: Arc<Origin>, batch_rows: usize, rest: Option<Rest>) -> Result<Box<dyn Source<S::Batch>>> {
        let text = decoded(reader, self.0.reading().encoding, &origin, &self.0.notes())?;
        let mut source = CsvSource::<S, N>::open(text, origin.clone(), &self.0, batch_rows)?;
        if let Some((reader, part)) = rest {
            source.lines.go_on_at(reader, part)?;
        }
        Ok(self.capped(source, &origin))
    }

    #[cfg(feature = "csv")]
    fn text_parts(&self, reader: Bytes, origin: Arc<Origin>, bytes: u64) -> Result<Vec<TextPart>> {
        let (notes, encoding) = (Notes::default(), self.0.reading().encoding);
        let text = decoded(reader, encoding, &origin, &notes)?;
        if encoding != Encoding::Utf8 || !notes.texts().is_empty() {
            return Ok(Vec::new());
        }
        CsvSource::<S, N>::open(text, origin, &self.0, 1)?.lines.parts(bytes)
    }

    #[cfg(not(feature = "csv"))]
    fn text_parts(&self, _: Bytes, _: Arc<Origin>, _: u64) -> Result<Vec<TextPart>> {
        Err(Error::left_out("CSV", "csv"))
    }

    #[cfg(not(feature = "csv"))]
    fn csv(&self, _: Bytes, _: Arc<Origin>, _: usize, _: Option<Rest>) -> Result<Box<dyn Source<S::Batch>>> {
        Err(Error::left_out("CSV", "csv"))
    }

    #[cfg(feature = "json")]
    fn jsonl(&self, reader: Bytes, origin: Arc<Origin>, batch_rows: usize) -> Result<Box<dyn Source<S::Batch>>> {
        let text = decoded(reader, self.0.reading().encoding, &origin, &self.0.notes())?;
        Ok(self.capped(JsonlSource::<S, N>::open(text, origin.clone(), &self.0, batch_rows)?, &origin))
    }

    #[cfg(not(feature = "json"))]
    fn jsonl(&self, _: Bytes, _: Arc<Origin>, _: usize) -> Result<Box<dyn Source<S::Batch>>> {
        Err(Error::left_out("JSONL", "json"))
    }
}

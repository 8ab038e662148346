//! What a Parquet file claims is held against its size before its reader believes it: the reader builds a schema by recursion, and takes as
//! much memory as the footer and the headers of pages ask for.
//!
//! The footer is walked once, when a file is opened. The headers of pages are looked at as the reader asks for them ([`Pages`]), which
//! reads nothing twice; what they hold is for [`parquet_pages`](super::parquet_pages).

use super::input_limits::Unpacked;
use super::ipc_limits;
use super::thrift::{Fault, Look, Record, Seen, Shape, walk};
use crate::base::text::size;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use std::io::{self, Read};
use std::sync::Arc;

/// Columns in columns: writers of nested data stay far below.
const MAX_DEPTH: usize = 64;
/// All names that lead to columns, in bytes: the reader keeps the names above a column for each.
const MAX_PATHS: usize = 32 << 20;
/// The key under which writers keep the Arrow types of columns.
const ARROW_SCHEMA: &str = "ARROW:schema";
/// A header of a page longer than this is none; with statistics of long values, it may be long.
const MAX_HEADER: usize = 16 << 20;
/// Bytes of a header that are read at a time.
const BLOCK: usize = 1 << 13;

const INT: Shape = Shape::Int;
const INTS: Shape = Shape::List(&Shape::Int);

static EMPTY: Record = Record(&[]);
static UNIT: Record = Record(&[(1, Shape::Struct(&EMPTY)), (2, Shape::Struct(&EMPTY)), (3, Shape::Struct(&EMPTY))]);
static DECIMAL: Record = Record(&[(1, INT), (2, INT)]);
static TIME: Record = Record(&[(1, Shape::Bool), (2, Shape::Struct(&UNIT))]);
static INTEGER: Record = Record(&[(1, Shape::Byte), (2, Shape::Bool)]);
static VARIANT: Record = Record(&[(1, Shape::Byte)]);
static GEO: Record = Record(&[(1, Shape::Bytes), (2, INT)]);
static LOGICAL: Record = Record(&[
    (1, Shape::Struct(&EMPTY)),
    (2, Shape::Struct(&EMPTY)),
    (3, Shape::Struct(&EMPTY)),
    (4, Shape::Struct(&EMPTY)),
    (5, Shape::Struct(&DECIMAL)),
    (6, Shape::Struct(&EMPTY)),
    (7, Shape::Struct(&TIME)),
    (8, Shape::Struct(&TIME)),
    (10, Shape::Struct(&INTEGER)),
    (11, Shape::Struct(&EMPTY)),
    (12, Shape::Struct(&EMPTY)),
    (13, Shape::Struct(&EMPTY)),
    (14, Shape::Struct(&EMPTY)),
    (15, Shape::Struct(&EMPTY)),
    (16, Shape::Struct(&VARIANT)),
    (17, Shape::Struct(&GEO)),
    (18, Shape::Struct(&GEO)),
]);
/// A column of the schema, or a group of so many that follow it.
static ELEMENT: Record = Record(&[
    (1, INT),
    (2, INT),
    (3, INT),
    (4, Shape::Bytes),
    (5, INT),
    (6, INT),
    (7, INT),
    (8, INT),
    (9, INT),
    (10, Shape::Struct(&LOGICAL)),
]);
static STATISTICS: Record = Record(&[
    (1, Shape::Bytes),
    (2, Shape::Bytes),
    (3, INT),
    (4, INT),
    (5, Shape::Bytes),
    (6, Shape::Bytes),
    (7, Shape::Bool),
    (8, Shape::Bool),
]);
static OF_PAGES: Record = Record(&[(1, INT), (2, INT), (3, INT)]);
static SIZES: Record = Record(&[(1, INT), (2, INTS), (3, INTS)]);
static BOX: Record = Record(&[
    (1, Shape::Double),
    (2, Shape::Double),
    (3, Shape::Double),
    (4, Shape::Double),
    (5, Shape::Double),
    (6, Shape::Double),
    (7, Shape::Double),
    (8, Shape::Double),
]);
static PLACES: Record = Record(&[(1, Shape::Struct(&BOX)), (2, INTS)]);
static PAIR: Record = Record(&[(1, Shape::Bytes), (2, Shape::Bytes)]);
static COLUMN: Record = Record(&[
    (1, INT),
    (2, INTS),
    (4, INT),
    (5, INT),
    (6, INT),
    (7, INT),
    (9, INT),
    (10, INT),
    (11, INT),
    (12, Shape::Struct(&STATISTICS)),
    (13, Shape::List(&Shape::Struct(&OF_PAGES))),
    (14, INT),
    (15, INT),
    (16, Shape::Struct(&SIZES)),
    (17, Shape::Struct(&PLACES)),
]);
static CHUNK: Record = Record(&[(1, Shape::Bytes), (2, INT), (3, Shape::Struct(&COLUMN)), (4, INT), (5, INT), (6, INT), (7, INT)]);
static SORTING: Record = Record(&[(1, INT), (2, Shape::Bool), (3, Shape::Bool)]);
static GROUP: Record =
    Record(&[(1, Shape::List(&Shape::Struct(&CHUNK))), (2, INT), (3, INT), (4, Shape::List(&Shape::Struct(&SORTING))), (5, INT), (7, INT)]);
static ORDER: Record = Record(&[(1, Shape::Struct(&EMPTY)), (2, Shape::Struct(&EMPTY))]);
static FOOTER: Record = Record(&[
    (1, INT),
    (2, Shape::List(&Shape::Struct(&ELEMENT))),
    (3, INT),
    (4, Shape::List(&Shape::Struct(&GROUP))),
    (5, Shape::List(&Shape::Struct(&PAIR))),
    (6, Shape::Bytes),
    (7, Shape::List(&Shape::Struct(&ORDER))),
]);

static DATA: Record = Record(&[(1, INT), (2, INT), (3, INT), (4, INT)]);
static DICTIONARY: Record = Record(&[(1, INT), (2, INT), (3, Shape::Bool)]);
static DATA_2: Record = Record(&[(1, INT), (2, INT), (3, INT), (4, INT), (5, INT), (6, INT), (7, Shape::Bool)]);
static PAGE: Record = Record(&[
    (1, INT),
    (2, INT),
    (3, INT),
    (4, INT),
    (5, Shape::Struct(&DATA)),
    (6, Shape::Struct(&EMPTY)),
    (7, Shape::Struct(&DICTIONARY)),
    (8, Shape::Struct(&DATA_2)),
]);

fn is(one: &'static Record, other: &'static Record) -> bool {
    std::ptr::eq(one, other)
}

/// Walks through the bytes of a footer.
///
/// # Errors
/// When it is damaged, or claims more than it can hold.
pub(super) fn check_footer(footer: &[u8]) -> Result<(), String> {
    // Of each open group, the columns that are still to come and the length of its name; the lengths of all names that lead to columns.
    let (mut open, mut left, mut paths): (Vec<(usize, usize)>, usize, usize) = (Vec::new(), 0, 0);
    let (mut columns, mut name) = (0i64, 0);
    let mut look = |record: &'static Record, id: i16, seen: Seen| {
        match (id, seen) {
            (2, Seen::List(count)) if is(record, &FOOTER) => (left, open) = (count, Vec::new()),
            (4, Seen::Bytes(length)) if is(record, &ELEMENT) => name = length,
            (5, Seen::Int(count)) if is(record, &ELEMENT) => columns = count,
            (0, _) if is(record, &ELEMENT) => {
                left = left.saturating_sub(1);
                let (count, length) = (std::mem::take(&mut columns), std::mem::take(&mut name));
                match usize::try_from(count) {
                    Ok(0) => {
                        paths = open.iter().fold(paths.saturating_add(length), |sum, (_, name)| sum.saturating_add(*name));
                        while let Some((last, _)) = open.last_mut() {
                            *last -= 1;
                            if *last > 0 {
                                break;
                            }
                            open.pop();
                        }
                    }
                    Ok(count) if count <= left => open.push((count, length)),
                    _ => return Err(Fault::Wrong("a group claims more columns than there are".to_owned())),
                }
                if open.len() > MAX_DEPTH {
                    return Err(Fault::Wrong(format!("its columns are nested deeper than {MAX_DEPTH} levels")));
                }
                if paths > MAX_PATHS {
                    return Err(Fault::Wrong(format!("the names of its columns take more than {}", size(MAX_PATHS as u64))));
                }
            }
            _ => {}
        }
        Ok(())
    };
    match walk(footer, &FOOTER, &mut look as &mut Look<'_>) {
        Ok(_) => Ok(()),
        Err(Fault::Short) => Err("its footer claims more than it holds".to_owned()),
        Err(Fault::Wrong(what)) => Err(what),
    }
}

/// Holds what a footer says against itself and the file: the rows of its row groups are those of the file, and their columns lie in it.
///
/// # Errors
/// When that is not so.
pub(super) fn check_groups(metadata: &ParquetMetaData, size: u64) -> Result<(), String> {
    let claimed = metadata.file_metadata().num_rows();
    let mut rows = Some(0i64);
    for group in metadata.row_groups() {
        rows = rows.and_then(|rows| rows.checked_add(group.num_rows())).filter(|_| group.num_rows() >= 0);
        check_columns(group, size)?;
    }
    match rows {
        Some(rows) if rows == claimed => Ok(()),
        _ => Err(format!("it claims {claimed} rows, and its row groups have {}", rows.unwrap_or(-1))),
    }
}

/// Looks at the Arrow types that a file says its columns have, before they are made: they may refer to the same ones again and again.
///
/// # Errors
/// When they are damaged.
pub(super) fn check_types(metadata: &ParquetMetaData) -> Result<(), String> {
    let pairs = metadata.file_metadata().key_value_metadata().into_iter().flatten();
    for text in pairs.filter(|pair| pair.key == ARROW_SCHEMA).filter_map(|pair| pair.value.as_ref()) {
        let bytes = from_base64(text).ok_or("the Arrow types of its columns are damaged")?;
        let message = bytes.strip_prefix(&[0xff; 4]).and_then(|rest| rest.get(4..)).unwrap_or(&bytes);
        ipc_limits::message(message).map_err(|e| e.to_string())?;
    }
    Ok(())
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut bits, mut held) = (0u32, 0);
    for sign in text.trim_end_matches('=').bytes() {
        let six = match sign {
            b'A'..=b'Z' => sign - b'A',
            b'a'..=b'z' => sign - b'a' + 26,
            b'0'..=b'9' => sign - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        (bits, held) = (bits << 6 | u32::from(six), held + 6);
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    Some(bytes)
}

fn check_columns(group: &RowGroupMetaData, file: u64) -> Result<(), String> {
    for column in group.columns() {
        let begin = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
        let end = u64::try_from(begin).ok().zip(u64::try_from(column.compressed_size()).ok()).and_then(|(at, size)| at.checked_add(size));
        if end.is_none_or(|end| end > file) {
            return Err(format!("column {:?} reaches beyond its end", column.column_path().string()));
        }
        if column.column_descr().max_rep_level() == 0 && column.num_values() != group.num_rows() {
            let (values, rows) = (column.num_values(), group.num_rows());
            return Err(format!("column {:?} has {values} values in a row group of {rows} rows", column.column_path().string()));
        }
    }
    Ok(())
}

/// The headers of pages as the reader reads them, each looked at before it is given.
pub(super) struct Headers<R> {
    reader: R,
    pub(super) unpacked: Arc<Unpacked>,
    /// The size of the file.
    pub(super) size: u64,
    bytes: Vec<u8>,
    given: usize,
}

impl<R: Read> Headers<R> {
    /// Of a reader of the bytes from the beginning of a header on. Nothing is read before it is asked for.
    pub(super) fn new(reader: R, unpacked: Arc<Unpacked>, size: u64) -> Self {
        Headers { reader, unpacked, size, bytes: Vec::new(), given: 0 }
    }

    fn check(&mut self) -> io::Result<()> {
        loop {
            let before = self.bytes.len();
            let more = if before == 0 { BLOCK } else { before };
            self.reader.by_ref().take(more as u64).read_to_end(&mut self.bytes)?;
            match check_page(&self.bytes, &self.unpacked, self.size) {
                Ok(()) => return Ok(()),
                Err(Fault::Short) if self.bytes.len() == before + more && before < MAX_HEADER => {}
                Err(Fault::Short) => return Err(invalid("a header of a page is cut off".to_owned())),
                Err(Fault::Wrong(what)) => return Err(invalid(what)),
            }
        }
    }
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl<R: Read> Read for Headers<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == 0 && self.bytes.is_empty() {
            self.check()?;
        }
        let n = (&self.bytes[self.given..]).read(buffer)?;
        self.given += n;
        Ok(n)
    }
}

/// Looks at the header of a page: what the page unpacks to, and how many entries its dictionary has.
fn check_page(bytes: &[u8], unpacked: &Unpacked, file: u64) -> Result<(), Fault> {
    let (mut plain, mut entries) = (0, 0);
    let mut look = |record: &'static Record, id: i16, seen: Seen| {
        match (id, seen) {
            (2, Seen::Int(bytes)) if is(record, &PAGE) => plain = bytes,
            (1, Seen::Int(count)) if is(record, &DICTIONARY) => entries = count,
            _ => {}
        }
        Ok(())
    };
    walk(bytes, &PAGE, &mut look as &mut Look<'_>)?;
    let wrong = |what: String| Err(Fault::Wrong(what));
    let Ok(plain) = u64::try_from(plain) else { return wrong("a page has less than no bytes".to_owned()) };
    if entries < 0 || entries as u64 > plain {
        return wrong(format!("a dictionary of {} claims {entries} values", size(plain)));
    }
    unpacked.grant(plain, file).map_err(Fault::Wrong)
}

/// What was found is damage.
pub(super) fn damage(what: String) -> ParquetError {
    ParquetError::General(what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::read_options::ReadOptions;

    /// A footer with a schema of groups in groups.
    fn nested(depth: usize, children: u8) -> Vec<u8> {
        let element = [0x35, 0, 0x18, 1, b'g', 0x15, children * 2, 0];
        let mut footer = vec![0x15, 2, 0x19, 0xfc];
        let mut count = depth + 1;
        while count > 0x7f {
            footer.push(count as u8 | 0x80);
            count >>= 7;
        }
        footer.push(count as u8);
        (0..depth).for_each(|_| footer.extend(element));
        // A column without columns, no rows, no row groups.
        footer.extend([0x15, 2, 0x25, 0, 0x18, 1, b'c', 0, 0x16, 0, 0x19, 0x0c, 0]);
        footer
    }

    #[test]
    fn schemas_are_refused_by_what_they_claim() {
        assert_eq!(check_footer(&nested(60, 1)), Ok(()));
        let deep = check_footer(&nested(5_000, 1));
        assert!(deep.as_ref().is_err_and(|what| what.contains("nested deeper")), "{deep:?}");
        let many = check_footer(&nested(3, 60));
        assert!(many.as_ref().is_err_and(|what| what.contains("more columns than there are")), "{many:?}");
        let whole = nested(2, 1);
        (0..whole.len()).for_each(|cut| assert!(check_footer(&whole[..cut]).is_err(), "{cut}"));
    }

    #[test]
    fn pages_are_refused_by_what_they_claim() {
        let page = |plain: &[u8], entries: u8| [&[0x15, 4, 0x15][..], plain, &[0x15, 20, 0x4c, 0x15, entries, 0x15, 0, 0, 0]].concat();
        let check = |bytes: &[u8]| check_page(bytes, &Unpacked::new(&ReadOptions::default()), 1_000);
        assert_eq!(check(&page(&[100], 20)), Ok(()));
        // 63 MiB of a small file are granted, 256 MiB are not.
        assert_eq!(check(&page(&[0x80, 0x80, 0x80, 0x3f], 20)), Ok(()));
        for (plain, entries, wanted) in
            [(&[0x80, 0x80, 0x80, 0x80, 2][..], 20, "unpack"), (&[100], 120, "claims 60 values"), (&[3], 0, "less")]
        {
            let found = check(&page(plain, entries));
            assert!(matches!(&found, Err(Fault::Wrong(what)) if what.contains(wanted)), "{found:?}");
        }
    }
}

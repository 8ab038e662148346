//! Workbooks of spreadsheets (`.xlsx`, `.xlsm`, `.xlsb`, `.xls`, `.ods`): a sheet becomes a text with tabs, a row a line, which the reader of
//! CSV reads like any other. So titles are found and short rows are filled; a line is a row of the sheet.
//!
//! Numbers are written as their shortest decimals, dates as ISO 8601. Sheets of `.xlsx` and `.xlsb` pass by cell by cell; of the others, a
//! sheet lies in memory, as do the texts that cells of a workbook share. The text lies in a temporary file.

use crate::base::error::{Error, Result};
use crate::model::note::Notes;
use crate::model::period_batch::Origin;
use crate::model::read_options::ReadOptions;
use std::fs::File;
use std::io::Write;

/// Whether the first bytes of an input are those of an old workbook, a compound file of several streams.
pub(super) fn is_compound(head: &[u8]) -> bool {
    head.starts_with(&[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1])
}

/// Writes a sheet as text, the one that is asked for or the first; gives the names of all sheets, that of the sheet first.
///
/// # Errors
/// When the workbook is damaged, or lacks the sheet, or the text cannot be written.
#[cfg(feature = "workbook")]
pub(super) fn write_text(file: File, origin: &Origin, options: &ReadOptions, notes: &Notes, out: &mut impl Write) -> Result<Vec<String>> {
    with::write_text(file, origin, options, notes, out)
}

/// As above, without the feature that reads them.
#[cfg(not(feature = "workbook"))]
pub(super) fn write_text(_: File, origin: &Origin, _: &ReadOptions, _: &Notes, _: &mut impl Write) -> Result<Vec<String>> {
    let error = Error::data("this is a workbook of a spreadsheet, which this build of lensflow does not read").input(&origin.name);
    Err(error.help("save the sheet as CSV in UTF-8, or build with the cargo feature workbook"))
}

#[cfg(feature = "workbook")]
mod with {
    use super::*;
    use crate::base::error::Stage;
    use crate::model::note::Topic;
    use crate::model::read_options::Quote;
    use crate::source::guarded;
    use crate::source::input_limits::Unpacked;
    use calamine::{Data, DataRef, Ods, Reader, SheetVisible, Sheets, Xls, Xlsb, Xlsx};
    use std::borrow::Cow;
    use std::io::{BufReader, ErrorKind};

    type Bytes = BufReader<File>;

    pub(super) fn write_text(
        file: File,
        origin: &Origin,
        options: &ReadOptions,
        notes: &Notes,
        out: &mut impl Write,
    ) -> Result<Vec<String>> {
        let fault = |what: &str| Error::data(what).input(&origin.name).stage(Stage::Source);
        let damaged = |e: calamine::Error| fault("the workbook is damaged, or protected by a password").cause(e);
        let size = file.metadata().map_or(0, |about| about.len());
        let mut book = guarded(origin, "the workbook is damaged", || open(file))?;
        let all = book.sheets_metadata().to_vec();
        let mut names: Vec<String> = all.iter().filter(|s| s.visible == SheetVisible::Visible).map(|s| s.name.clone()).collect();
        let name = match &options.sheet {
            Some(name) if all.iter().any(|sheet| sheet.name == *name) => name.clone(),
            Some(name) => {
                let there = names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
                return Err(fault(&format!("there is no sheet {name:?}; the sheets are: {there}")).help("name one with `sheet=NAME`"));
            }
            None => names.first().cloned().ok_or_else(|| fault("the workbook has no sheet that is shown"))?,
        };
        names.retain(|other| *other != name);
        names.insert(0, name.clone());
        if options.sheet.is_none() && names.len() > 1 {
            let others = names[1..].iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
            notes.say(Topic::ReadAs, format!("{}: the sheet {name:?} is read; not read: {others}; choose with `sheet=NAME`", origin.name));
        }
        let mut text = Text { out, options, row: 0, column: 0, width: 0, unpacked: Unpacked::new(options), size };
        let wrote = |e: std::io::Error| match e.kind() {
            ErrorKind::InvalidData => fault("the sheet is damaged").cause(e),
            _ => Error::io("cannot be kept in a temporary file", e).input(&origin.name).stage(Stage::Source),
        };
        // A mark says that this is UTF-8, whatever the encoding of other inputs.
        text.out.write_all(b"\xef\xbb\xbf").map_err(wrote)?;
        match &mut book {
            Sheets::Xlsx(book) => {
                let mut cells = book.worksheet_cells_reader(&name).map_err(|e| damaged(e.into()))?;
                text.width = cells.dimensions().end.1.saturating_add(1).min(1 << 14);
                while let Some(cell) = cells.next_cell().map_err(|e| damaged(e.into()))? {
                    text.cell(cell.get_position(), &shown(cell.get_value())).map_err(wrote)?;
                }
            }
            Sheets::Xlsb(book) => {
                let mut cells = book.worksheet_cells_reader(&name).map_err(|e| damaged(e.into()))?;
                text.width = cells.dimensions().end.1.saturating_add(1).min(1 << 14);
                while let Some(cell) = cells.next_cell().map_err(|e| damaged(e.into()))? {
                    text.cell(cell.get_position(), &shown(cell.get_value())).map_err(wrote)?;
                }
            }
            book => {
                let range = guarded(origin, "the sheet is damaged", || book.worksheet_range(&name))?;
                text.width = range.end().map_or(0, |end| end.1 + 1);
                let start = range.start().unwrap_or_default();
                for (row, column, value) in range.used_cells() {
                    let at = (start.0 + row as u32, start.1 + column as u32);
                    text.cell(at, &shown(&borrowed(value))).map_err(wrote)?;
                }
            }
        }
        text.end().map_err(wrote)?;
        Ok(names)
    }

    fn open(file: File) -> std::result::Result<Sheets<Bytes>, calamine::Error> {
        let again = |file: &File| file.try_clone().map(BufReader::new);
        let mut first = [0; 4];
        std::io::Read::read_exact(&mut again(&file)?, &mut first)?;
        std::io::Seek::rewind(&mut &file)?;
        if first[0] == 0xd0 {
            return Ok(Sheets::Xls(Xls::new(again(&file)?)?));
        }
        if let Ok(book) = Xlsx::new(again(&file)?) {
            return Ok(Sheets::Xlsx(book));
        }
        std::io::Seek::rewind(&mut &file)?;
        if let Ok(book) = Xlsb::new(again(&file)?) {
            return Ok(Sheets::Xlsb(book));
        }
        std::io::Seek::rewind(&mut &file)?;
        Ok(Sheets::Ods(Ods::new(again(&file)?)?))
    }

    /// A cell as text.
    fn shown<'a>(value: &'a DataRef<'_>) -> Cow<'a, str> {
        match value {
            DataRef::Empty => Cow::Borrowed(""),
            DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => Cow::Borrowed(text),
            DataRef::SharedString(text) => Cow::Borrowed(text),
            DataRef::Int(number) => Cow::Owned(number.to_string()),
            DataRef::Float(number) => Cow::Owned(number.to_string()),
            DataRef::Bool(truth) => Cow::Owned(truth.to_string()),
            DataRef::Error(error) => Cow::Owned(error.to_string()),
            DataRef::DateTime(time) if time.is_datetime() => {
                let (year, month, day, hour, minute, second, milli) = time.to_ymd_hms_milli();
                let date = format!("{year:04}-{month:02}-{day:02}");
                Cow::Owned(match (hour, minute, second, milli) {
                    (0, 0, 0, 0) => date,
                    (_, _, _, 0) => format!("{date} {hour:02}:{minute:02}:{second:02}"),
                    _ => format!("{date} {hour:02}:{minute:02}:{second:02}.{milli:03}"),
                })
            }
            DataRef::DateTime(length) => Cow::Owned(length.as_f64().to_string()),
        }
    }

    /// A sheet on its way to a text.
    struct Text<'a, W> {
        out: &'a mut W,
        options: &'a ReadOptions,
        row: u32,
        /// Fields that were begun in the row.
        column: u32,
        /// Fields of each row.
        width: u32,
        unpacked: Unpacked,
        /// The size of the workbook.
        size: u64,
    }

    /// The sheets of all formats end here.
    const MAX_ROWS: u32 = 1 << 20;
    const MAX_COLUMNS: u32 = 1 << 14;

    fn too_much(what: String) -> std::io::Error {
        std::io::Error::new(ErrorKind::InvalidData, what)
    }

    impl<W: Write> Text<'_, W> {
        fn cell(&mut self, (row, column): (u32, u32), text: &str) -> std::io::Result<()> {
            if text.is_empty() {
                return Ok(());
            }
            if row >= MAX_ROWS || column >= MAX_COLUMNS {
                return Err(too_much(format!("a cell claims to be in row {}, column {}", u64::from(row) + 1, u64::from(column) + 1)));
            }
            self.unpacked.grant(text.len() as u64, self.size).map_err(too_much)?;
            while self.row < row {
                self.end()?;
            }
            while self.column <= column {
                if self.column > 0 {
                    self.out.write_all(b"\t")?;
                }
                self.column += 1;
            }
            self.width = self.width.max(self.column);
            // One line a row, and no field more than there are cells.
            let plain = text.replace(|c: char| c < ' ', " ");
            if plain.starts_with('"') && self.options.quote != Some(Quote::None) {
                let escaped = self.options.escape.map_or(plain.clone(), |c| plain.replace(c, &format!("{c}{c}")));
                return write!(self.out, "\"{}\"", escaped.replace('"', "\"\""));
            }
            self.out.write_all(plain.as_bytes())
        }

        /// Ends the row; one without a value is a blank line.
        fn end(&mut self) -> std::io::Result<()> {
            if self.column > 0 {
                self.unpacked.grant(u64::from(self.width), self.size).map_err(too_much)?;
                (self.column..self.width).try_for_each(|_| self.out.write_all(b"\t"))?;
            }
            (self.row, self.column) = (self.row + 1, 0);
            self.out.write_all(b"\n")
        }
    }

    /// A value that is in memory, as one that passes by.
    fn borrowed(value: &Data) -> DataRef<'_> {
        match value {
            Data::Empty => DataRef::Empty,
            Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => DataRef::SharedString(text),
            Data::Int(number) => DataRef::Int(*number),
            Data::Float(number) => DataRef::Float(*number),
            Data::Bool(truth) => DataRef::Bool(*truth),
            Data::DateTime(time) => DataRef::DateTime(*time),
            Data::Error(error) => DataRef::Error(error.clone()),
        }
    }
}

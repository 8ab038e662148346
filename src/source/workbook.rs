//! Workbooks of spreadsheets (`.xlsx`, `.xlsm`, `.xlsb`, `.xls`, `.ods`): a sheet becomes a text with tabs, a row a line, which the reader of
//! CSV reads like any other. So titles are found and short rows are filled; a line is a row of the sheet.
//!
//! Numbers are written as their shortest decimals, dates as ISO 8601, times of day as `10:30:00`, so that they can be joined to dates. A
//! formula without a stored result is written as the formula, which is no number and no date. A column with dates and with texts that look
//! like dates is noted: a spreadsheet has read some of them, perhaps with day and month in each other's place. Sheets of `.xlsx` and `.xlsb` pass by cell by cell; of the others, a
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
    use crate::base::text::counted;
    use crate::model::note::Topic;
    use crate::model::read_options::Quote;
    use crate::source::guarded;
    use crate::source::input_limits::Unpacked;
    use crate::source::values::looks_like_day;
    use calamine::{Data, DataRef, Ods, Reader, SheetVisible, Sheets, Xls, Xlsb, Xlsx, XlsxFormulaMetadata};
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
        let (columns, formulas) = Default::default();
        let mut text = Text { out, options, row: 0, column: 0, width: 0, unpacked: Unpacked::new(options), size, columns, formulas };
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
                while let Some(cell) = cells.next_cell_with_formula_metadata().map_err(|e| damaged(e.into()))? {
                    match (&cell.value, &cell.formula) {
                        (DataRef::Empty, Some(formula)) => text.formula(cell.pos, formula).map_err(wrote)?,
                        (value, _) => text.value(cell.pos, value).map_err(wrote)?,
                    }
                }
            }
            Sheets::Xlsb(book) => {
                let mut cells = book.worksheet_cells_reader(&name).map_err(|e| damaged(e.into()))?;
                text.width = cells.dimensions().end.1.saturating_add(1).min(1 << 14);
                while let Some(cell) = cells.next_cell().map_err(|e| damaged(e.into()))? {
                    text.value(cell.get_position(), cell.get_value()).map_err(wrote)?;
                }
            }
            book => {
                let range = guarded(origin, "the sheet is damaged", || book.worksheet_range(&name))?;
                text.width = range.end().map_or(0, |end| end.1 + 1);
                let start = range.start().unwrap_or_default();
                for (row, column, value) in range.used_cells() {
                    let at = (start.0 + row as u32, start.1 + column as u32);
                    text.value(at, &borrowed(value)).map_err(wrote)?;
                }
            }
        }
        text.end().map_err(wrote)?;
        text.note(&origin.name, notes);
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
            DataRef::DurationIso(text) => time_of(text).map_or(Cow::Borrowed(text), Cow::Owned),
            DataRef::String(text) | DataRef::DateTimeIso(text) => Cow::Borrowed(text),
            DataRef::SharedString(text) => Cow::Borrowed(text),
            DataRef::Int(number) => Cow::Owned(number.to_string()),
            DataRef::Float(number) => Cow::Owned(number.to_string()),
            DataRef::Bool(truth) => Cow::Owned(truth.to_string()),
            DataRef::Error(error) => Cow::Owned(error.to_string()),
            // A part of a day, whether it is meant as a time of day or as a length.
            DataRef::DateTime(time) if (0.0..1.0).contains(&time.as_f64()) => {
                let millis = (time.as_f64() * 86_400_000.0).round() as u64;
                let (seconds, millis) = (millis / 1_000, millis % 1_000);
                let clock = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
                Cow::Owned(if millis == 0 { clock } else { format!("{clock}.{millis:03}") })
            }
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

    /// A time of day that is written as a length, `PT10H30M00S`.
    fn time_of(length: &str) -> Option<String> {
        let (hours, rest) = length.strip_prefix("PT")?.split_once('H')?;
        let (minutes, seconds) = rest.strip_suffix('S')?.split_once('M')?;
        let number = |text: &str, below: u32| text.parse().ok().filter(|number: &u32| *number < below);
        let (whole, part) = seconds.split_once('.').unwrap_or((seconds, ""));
        let clock = format!("{:02}:{:02}:{:02}", number(hours, 24)?, number(minutes, 60)?, number(whole, 60)?);
        let part = part.trim_end_matches('0');
        Some(if part.is_empty() { clock } else { format!("{clock}.{part}") })
    }

    /// What was seen of a column.
    #[derive(Default, Clone)]
    struct Seen {
        dates: u64,
        /// Texts that look like dates, and the first of them.
        texts: u64,
        text: String,
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
        columns: Vec<Seen>,
        /// Formulas without a result.
        formulas: u64,
    }

    /// The sheets of all formats end here.
    const MAX_ROWS: u32 = 1 << 20;
    const MAX_COLUMNS: u32 = 1 << 14;

    fn too_much(what: String) -> std::io::Error {
        std::io::Error::new(ErrorKind::InvalidData, what)
    }

    impl<W: Write> Text<'_, W> {
        fn value(&mut self, at: (u32, u32), value: &DataRef<'_>) -> std::io::Result<()> {
            let column = at.1 as usize;
            if column < MAX_COLUMNS as usize && self.columns.len() <= column {
                self.columns.resize(column + 1, Seen::default());
            }
            let text = shown(value);
            match (value, self.columns.get_mut(column)) {
                (DataRef::DateTime(_) | DataRef::DateTimeIso(_), Some(seen)) => seen.dates += 1,
                (DataRef::String(_) | DataRef::SharedString(_), Some(seen)) if looks_like_day(&text) => {
                    seen.texts += 1;
                    if seen.text.is_empty() {
                        seen.text = text.chars().take(40).collect();
                    }
                }
                _ => {}
            }
            self.cell(at, &text)
        }

        /// A formula whose result is not known.
        fn formula(&mut self, at: (u32, u32), formula: &XlsxFormulaMetadata) -> std::io::Result<()> {
            self.formulas += 1;
            let text = match formula {
                XlsxFormulaMetadata::Normal { formula } | XlsxFormulaMetadata::Shared { formula, .. } => formula,
                _ => "a formula",
            };
            self.cell(at, &format!("={text}"))
        }

        /// Adds what was seen to the notes.
        fn note(&self, input: &str, notes: &Notes) {
            if self.formulas > 0 {
                let cells = counted(self.formulas, "cell holds a formula", "cells hold formulas");
                let what =
                    format!("{input}: {cells} without a result: open the workbook in a spreadsheet program and save it, then there is one");
                notes.say(Topic::ReadAs, what);
            }
            for (at, Seen { dates, texts, text }) in self.columns.iter().enumerate().filter(|(_, seen)| seen.dates > 0 && seen.texts > 0) {
                let (dates, texts) = (counted(*dates, "date", "dates"), counted(*texts, "text", "texts"));
                notes.say(
                    Topic::ReadAs,
                    format!(
                        "{input}: column {} has {dates} and {texts} such as {text:?}: a spreadsheet makes dates of what fits its own order of \
                         day and month, so that these may be swapped in all of its dates; compare some with where they come from",
                        letters(at)
                    ),
                );
            }
        }

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

    /// A column's name in a spreadsheet: A to Z, then AA.
    fn letters(mut at: usize) -> String {
        let mut name = String::new();
        loop {
            name.insert(0, char::from(b'A' + (at % 26) as u8));
            match (at / 26).checked_sub(1) {
                Some(next) => at = next,
                None => return name,
            }
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

//! Answers as a workbook for spreadsheets: a sheet a topic, each one table that can be filtered, with charts that the spreadsheet draws.
//!
//! Everything that comes from outside (names of windows, segments and inputs) is written as text and never as a formula. The same answers
//! give the same bytes. Limits: a spreadsheet holds numbers as doubles, exact to 15 digits (amounts below 10 trillion), and texts of up to
//! 32,767 characters, longer ones are cut; charts show the newest window or pair.

mod cohort_sheets;
mod sheets;

use self::sheets::all_sheets;
use super::Report;
use crate::base::error::{Error, Result};
use crate::base::money::Fixed2;
use rust_xlsxwriter::{Chart, ChartType, DocProperties, ExcelDateTime, Format, Table, TableColumn, Workbook, Worksheet, XlsxError};

/// The most characters of a cell.
const LONGEST: usize = 32_767;
/// The most rows of a sheet, with its header.
const MOST_ROWS: usize = 1 << 20;

/// A cell's value.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Text(String),
    Count(f64),
    /// With two decimals: money, a percentage, an average.
    Decimal(f64),
    /// With four decimals.
    Fine(f64),
    Empty,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Cell::Text(text.to_owned())
    }
}

impl From<u64> for Cell {
    fn from(count: u64) -> Self {
        Cell::Count(count as f64)
    }
}

impl From<i128> for Cell {
    fn from(count: i128) -> Self {
        Cell::Count(count as f64)
    }
}

impl From<Fixed2> for Cell {
    fn from(number: Fixed2) -> Self {
        Cell::Decimal(number.to_f64())
    }
}

/// A sheet: its name, the names of its columns, rows, and what charts show.
struct Sheet {
    name: &'static str,
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
    charts: Vec<Picture>,
}

/// A chart of some rows: one column names them, others are drawn.
struct Picture {
    title: String,
    kind: ChartType,
    /// The first and the last row, from 0 below the header.
    rows: (usize, usize),
    names: usize,
    values: Vec<usize>,
}

/// The workbook's bytes.
///
/// # Errors
/// When the answers do not fit a spreadsheet.
pub fn workbook(report: &Report) -> Result<Vec<u8>> {
    written(report).map_err(|e| Error::data(format!("the answers do not fit a workbook: {e}")).help("write them as .json or .html"))
}

fn written(report: &Report) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    // The moment of writing would make other bytes each time.
    let made = ExcelDateTime::from_ymd(2000, 1, 1)?;
    workbook.set_properties(&DocProperties::new().set_title("Customer-base audit").set_creation_datetime(&made));
    for sheet in all_sheets(report) {
        put(workbook.add_worksheet(), sheet)?;
    }
    workbook.save_to_buffer()
}

fn put(page: &mut Worksheet, sheet: Sheet) -> Result<(), XlsxError> {
    let Sheet { name, columns, rows, charts } = sheet;
    let (decimal, fine, count) = (format("#,##0.00"), format("0.0000"), format("#,##0"));
    page.set_name(name)?;
    if rows.len() >= MOST_ROWS {
        return Err(XlsxError::RowColumnLimitError);
    }
    for (at, row) in rows.iter().enumerate() {
        for (column, cell) in row.iter().enumerate() {
            let (at, column) = (at as u32 + 1, column as u16);
            match cell {
                Cell::Text(text) => page.write_string(at, column, text.chars().take(LONGEST).collect::<String>())?,
                Cell::Count(number) => page.write_number_with_format(at, column, *number, &count)?,
                Cell::Decimal(number) => page.write_number_with_format(at, column, *number, &decimal)?,
                Cell::Fine(number) => page.write_number_with_format(at, column, *number, &fine)?,
                Cell::Empty => page,
            };
        }
    }
    for (column, name) in columns.iter().enumerate() {
        page.write_string(0, column as u16, name)?;
        let widest = rows.iter().filter_map(|row| row.get(column)).map(width).max().unwrap_or(0);
        page.set_column_width(column as u16, widest.max(name.chars().count() + 3).min(40) as f64)?;
    }
    // A table has at least one row.
    if !rows.is_empty() && !columns.is_empty() {
        let named: Vec<TableColumn> = columns.iter().map(|name| TableColumn::new().set_header(name)).collect();
        let table = Table::new().set_name(name.replace(' ', "_")).set_columns(&named);
        page.add_table(0, 0, rows.len() as u32, columns.len() as u16 - 1, &table)?;
    }
    page.set_freeze_panes(1, 0)?;
    for (at, picture) in charts.into_iter().enumerate().filter(|(_, picture)| picture.rows.1 < rows.len()) {
        let mut chart = Chart::new(picture.kind);
        let (first, last) = (picture.rows.0 as u32 + 1, picture.rows.1 as u32 + 1);
        for value in picture.values {
            let series = chart.add_series();
            series.set_name((name, 0, value as u16));
            series.set_categories((name, first, picture.names as u16, last, picture.names as u16));
            series.set_values((name, first, value as u16, last, value as u16));
        }
        chart.title().set_name(&picture.title);
        chart.set_width(640).set_height(320);
        page.insert_chart(1 + at as u32 * 18, columns.len() as u16 + 1, &chart)?;
    }
    Ok(())
}

fn format(numbers: &str) -> Format {
    Format::new().set_num_format(numbers)
}

/// About the characters that a cell shows.
fn width(cell: &Cell) -> usize {
    match cell {
        Cell::Text(text) => text.chars().count(),
        Cell::Count(number) => format!("{number:.0}").len() * 4 / 3 + 1,
        Cell::Decimal(number) => format!("{number:.2}").len() * 4 / 3 + 1,
        Cell::Fine(_) => 7,
        Cell::Empty => 0,
    }
}

#[cfg(all(test, feature = "workbook"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use calamine::{Data, Reader, Xlsx};
    use std::io::Cursor;

    fn report(text: &str) -> Report {
        serde_json::from_str(text).unwrap()
    }

    fn opened(bytes: Vec<u8>) -> Xlsx<Cursor<Vec<u8>>> {
        Xlsx::new(Cursor::new(bytes)).unwrap()
    }

    #[test]
    fn a_workbook_holds_the_answers() {
        let report = report(include_str!("../../../tests/data/pages/quarters_with_segments.json"));
        let bytes = workbook(&report).unwrap();
        assert!(bytes == workbook(&report).unwrap(), "the same answers are the same bytes");
        let mut book = opened(bytes);
        let sheets = ["Periods", "Changes", "Deciles", "Lorenz curve", "Orders", "Spend", "RFM scores", "Moved scores", "Segments"];
        assert_eq!(book.sheet_names(), [&sheets[..], &["Moved segments", "Data"]].concat());
        let periods = book.worksheet_range("Periods").unwrap();
        let at = |row: usize, name: &str| {
            let column = periods.rows().next().unwrap().iter().position(|cell| *cell == Data::String(name.to_owned())).unwrap();
            periods.rows().nth(row + 1).unwrap()[column].clone()
        };
        for (row, window) in report.windows.iter().enumerate() {
            assert_eq!(at(row, "Period"), Data::String(window.name.clone()));
            assert_eq!(at(row, "Revenue"), Data::Float(window.lens1.total_revenue.to_f64()));
            assert_eq!(at(row, "Gini"), Data::Float(window.more.gini.to_string().parse().unwrap()));
        }
        let changes = book.worksheet_range("Changes").unwrap();
        for row in changes.rows().skip(1) {
            let number = |at: usize| if let Data::Float(number) = row[at] { number } else { panic!("{row:?}") };
            let sum: f64 = (11..17).map(number).sum();
            assert!((sum - number(17)).abs() < 0.005, "{row:?}");
        }
        let segments = book.worksheet_range("Segments").unwrap();
        assert_eq!(segments.height() - 1, report.windows.iter().map(|w| w.segments.len()).sum::<usize>());
    }

    #[test]
    fn names_are_texts_and_never_formulas() {
        let mut report = report(include_str!("../../../tests/data/pages/twelve_months.json"));
        let evil = "=HYPERLINK(\"http://x\",\"y\")";
        report.windows[0].name = evil.to_owned();
        report.comparisons[0].from = format!("@{evil}");
        report.input.sources = vec![evil.to_owned(), "x".repeat(100_000)];
        let mut book = opened(workbook(&report).unwrap());
        for sheet in book.sheet_names() {
            assert!(book.worksheet_formula(&sheet).unwrap().is_empty(), "{sheet}");
        }
        let periods = book.worksheet_range("Periods").unwrap();
        assert_eq!(periods.get_value((1, 0)), Some(&Data::String(evil.to_owned())));
    }

    #[test]
    fn nothing_is_a_workbook_too() {
        let empty = r#"{"lensflow": "0.1.0", "input": {"sources": [], "rows_read": 0, "rows_accepted": 0, "rows_rejected": {}, "customers": 0},
            "windows": [], "comparisons": [], "warnings": []}"#;
        assert_eq!(opened(workbook(&report(empty)).unwrap()).sheet_names(), ["Data"]);
    }
}

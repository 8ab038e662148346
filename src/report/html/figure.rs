//! What a figure is: a claim in plain words, pictures, a note on how to read them, and tables with the numbers behind them.

use serde::Serialize;

/// A figure of a page. Every text is plain, and escaped by the template; pictures are SVG.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Figure {
    /// What a template calls it.
    pub(super) name: &'static str,
    /// What is shown.
    pub(super) title: String,
    /// What it says, in a sentence.
    pub(super) claim: String,
    /// How to read it.
    pub(super) note: String,
    pub(super) pictures: Vec<String>,
    pub(super) tables: Vec<DataTable>,
    /// Whether the first table is the picture, and is seen at once.
    pub(super) is_table: bool,
    /// Whether its tables are seen at once.
    pub(super) is_open: bool,
    /// How it lies on the page: `""` beside another, `split` with its table beside the picture, `charts` with its pictures beside each
    /// other.
    pub(super) layout: &'static str,
}

/// The numbers of a figure.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct DataTable {
    /// What its numbers are.
    pub(super) title: String,
    pub(super) columns: Vec<String>,
    /// So many columns, from the left, hold texts.
    pub(super) texts: usize,
    pub(super) rows: Vec<Vec<String>>,
    /// Per row the length of a bar, in percent, in the last column.
    pub(super) bars: Vec<String>,
    /// What was left out of it.
    pub(super) note: String,
}

impl DataTable {
    /// A table whose first columns hold texts.
    pub(super) fn new(title: impl Into<String>, texts: usize, columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        DataTable { title: title.into(), texts, columns: columns.into_iter().map(Into::into).collect(), ..DataTable::default() }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Keeps the first rows, and says so.
    pub(super) fn keep_first(&mut self, most: usize, what: &str) {
        let all = self.rows.len();
        if all > most {
            self.rows.truncate(most);
            self.note = format!("The first {most} of {all} {what}; the JSON report has all of them.");
        }
    }
}

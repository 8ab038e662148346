//! What rows are, and the library's options of reading and grouping them, as they are said.

use super::{Kind, Options, Policy};
use lensflow::jobs::RowsAre;
use lensflow::model::{ReadOptions, Told, TransactionColumn, TransactionColumns};
use lensflow::orders::{Lines, OrderOptions};
use lensflow::source::transactions::TransactionOptions;
use lensflow::state::is_state;
use std::path::Path;

/// How values are read.
pub(crate) fn reading(options: &Options) -> ReadOptions {
    let said = &options.source;
    ReadOptions::default()
        .with_id_format(said.id_format)
        .with_date_formats(&said.date_format)
        .with_encoding(said.encoding)
        .with_period_ends(said.period_ends)
        .with_number_format(said.number_format)
        .with_amount_unit(said.amount_unit)
        .with_naive_times(said.naive_times)
        .with_nulls(&said.null)
        .with_quote(said.quote)
        .with_escape(said.escape)
        .with_header_line(said.header_line)
        .with_sheet(said.sheet.clone())
        .with_max_field(said.max_field.map(|size| size.0))
        .with_only(said.only.iter().flatten().cloned())
        .with_except(said.except.iter().flatten().cloned())
}

/// How orders and line items are read and grouped.
pub(crate) fn lines(options: &Options, told: Option<Told>) -> Lines {
    let said = options.transactions.clone();
    let policy = match said.policy {
        Policy::Strict => OrderOptions::default(),
        Policy::Shop => OrderOptions::shop(),
    };
    let name = |column: TransactionColumn| Some((column, options.columns.get(column.name())?.clone()));
    Lines::default()
        .with_columns(TransactionColumns(TransactionColumn::ALL.into_iter().filter_map(name).collect()))
        .with_options(
            TransactionOptions::default()
                .with_one_row_per_order(said.one_row_per_order)
                .with_anonymous_ids(said.anonymous_id)
                .with_amount(said.amount)
                .with_reading(reading(options).with_told(told)),
        )
        .with_orders(
            OrderOptions::default()
                .with_refunds(said.refunds.unwrap_or(policy.refunds))
                .with_anonymous(said.anonymous.unwrap_or(policy.anonymous))
                .with_duplicates(said.duplicates.unwrap_or(policy.duplicates))
                .with_timezone(said.timezone.0),
        )
}

/// What is said of the meaning of rows; [`RowsAre::Auto`] where the columns of files will tell.
pub(crate) fn rows_are(kind: Kind, options: &Options) -> RowsAre {
    let tells = matches!(kind, Kind::Audit | Kind::Peek | Kind::Update | Kind::Sketch | Kind::Spec) && options.source.synthetic.is_none();
    let has_files = || options.source.inputs.iter().flatten().any(|name| !is_state(Path::new(name)));
    match options.source.from {
        _ if kind == Kind::Periods => RowsAre::Transactions,
        Some(said) if said != RowsAre::Auto => said,
        _ if tells && has_files() => RowsAre::Auto,
        _ => RowsAre::Periods,
    }
}

/// Whether rows are orders and line items.
pub(crate) fn of_lines(kind: Kind, options: &Options) -> bool {
    rows_are(kind, options) == RowsAre::Transactions
}

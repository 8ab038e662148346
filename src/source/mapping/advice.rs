//! Messages about columns: those that are missing, all at once and with what to say instead; those that have two roles, or could be one of
//! two. A column that has a role is never proposed for another, and neither is one whose name is more like another role's.

use super::Wanted;
use super::derive::Part;
use super::header::{Header, likeness, nearest};
use crate::base::error::{Error, Result, Stage};
use crate::base::text::words;
use crate::model::period_batch::Origin;
use crate::source::column_words::{ORDERS, is_of_something_else};

/// How alike a proposal is at least, of 1, by its letters or by its words.
const ALIKE: f64 = 0.6;
/// And by its letters alone.
const ALIKE_LETTERS: f64 = 0.8;

/// Columns that only orders and line items have, and those that only period aggregations have.
const OF_LINES: [&str; 5] = ["order_id", "event_ts", "order_ts", "line_total", "unit_price"];
const OF_PERIODS: [&str; 4] = ["period_start", "period_end", "total_orders", "total_spend"];

/// Words in names that say what a column is not.
const WORDS_OF_TIMES: [&str; 10] = ["date", "time", "datetime", "timestamp", "day", "month", "year", "datum", "zeit", "ts"];
const WORDS_OF_IDS: [&str; 9] = ["id", "no", "nr", "num", "number", "nummer", "key", "code", "uuid"];
const WORDS_OF_AMOUNTS: [&str; 13] =
    ["amount", "total", "price", "sum", "revenue", "sales", "spend", "betrag", "preis", "umsatz", "value", "cost", "margin"];
/// The first of them, which say what a line is worth, or one of it.
const WORDS_OF_WORTH: usize = 11;
const WORDS_OF_CUSTOMERS: [&str; 12] =
    ["customer", "client", "user", "member", "buyer", "shopper", "household", "visitor", "email", "kunde", "kunden", "mitglied"];
/// The first words of times, which an order's time may be called by.
const WORDS_OF_DAYS: usize = 4;
const WORDS_OF_PRICES: [&str; 2] = ["price", "preis"];

/// Refuses what lacks a required column, or gives one column of the input to two of ours.
pub(super) fn complete<const N: usize>(
    wanted: &[Wanted<'_>; N],
    worth: &[usize],
    found: &[Option<Vec<Part>>; N],
    header: &Header<'_>,
    origin: &Origin,
) -> Result<()> {
    let single = |role: usize| match found[role].as_deref() {
        Some([Part::Field(at)]) => Some(*at),
        _ => None,
    };
    for role in 0..N {
        let Some(other) = (0..role).find(|other| single(role).is_some() && single(*other) == single(role)) else { continue };
        let (name, one, two) = (header.names[single(role).unwrap_or_default()], wanted[other].column, wanted[role].column);
        let error = Error::data(format!("column {name:?} cannot be both {one} and {two}")).input(&origin.name).stage(Stage::Source);
        return Err(match one {
            "order_id" => error.help(no_order_id()),
            _ => error.help(format!("name another with `columns.{two}=NAME`, or leave that out")),
        });
    }
    let mut missing: Vec<usize> = (0..N).filter(|&role| found[role].is_none() && wanted[role].required).collect();
    if !worth.is_empty() && worth.iter().all(|&role| found[role].is_none()) {
        // Of several that say it, the one that a column may be.
        let near = worth.iter().copied().find(|&role| proposal(role, wanted, found, header).is_some());
        missing.extend(near.or(worth.first().copied()).filter(|role| !missing.contains(role)));
    }
    if missing.is_empty() { Ok(()) } else { Err(lacking(&missing, wanted, found, header, origin)) }
}

/// An error that names all missing columns and a line to paste.
fn lacking<const N: usize>(
    missing: &[usize],
    wanted: &[Wanted<'_>; N],
    found: &[Option<Vec<Part>>; N],
    header: &Header<'_>,
    origin: &Origin,
) -> Error {
    let names: Vec<_> = missing.iter().map(|&role| format!("{:?}", sought(&wanted[role]))).collect();
    let what = format!("there is no column {}", names.join(", "));
    let error = Error::data(format!("{what}; the columns are: {}", header.shown())).input(&origin.name).stage(Stage::Source);
    if let Some(help) = other_kind(wanted, header) {
        return error.help(help);
    }
    let proposals: Vec<_> = missing.iter().map(|&role| proposal(role, wanted, found, header)).collect();
    let mut said: Vec<String> = Vec::new();
    let near: Vec<_> = missing.iter().zip(&proposals).filter_map(|(&role, near)| Some((wanted[role].column, (*near)?))).collect();
    if !near.is_empty() {
        let names: Vec<_> = near.iter().map(|(_, near)| format!("{near:?}")).collect();
        let line: Vec<_> = near.iter().map(|(column, near)| format!("`columns.{column}={near}`")).collect();
        said.push(format!("did you mean {}? Then run with {}", names.join(", "), line.join(" ")));
    }
    let unknown = || missing.iter().zip(&proposals).filter(|(_, near)| near.is_none()).map(|(&role, _)| wanted[role].column);
    let unnamed: Vec<_> = unknown().map(|column| format!("`columns.{column}=NAME`")).collect();
    if !unnamed.is_empty() {
        said.push(format!("{} with {}", if unnamed.len() == 1 { "name it" } else { "name them" }, unnamed.join(" ")));
    }
    if missing.iter().any(|&role| ["line_total", "unit_price"].contains(&wanted[role].column)) {
        said.push("lines without any worth are read with `amount=none`".to_owned());
    }
    if unknown().any(|column| column == "order_id") {
        said.push(no_order_id().to_owned());
    }
    error.help(said.join("; "))
}

/// The name under which a column was looked for.
fn sought<'a>(wanted: &'a Wanted<'_>) -> &'a str {
    if wanted.first_name() == wanted.column { wanted.column } else { &wanted.name }
}

/// The ways out where there is no order id.
const fn no_order_id() -> &'static str {
    "if there are no order ids: `columns.order_id=customer_id+day` makes an order of what a customer buys on one day, \
     and with `one_row_per_order=true` each row is an order"
}

/// Advice where a header is that of the other kind of rows.
fn other_kind<const N: usize>(wanted: &[Wanted<'_>; N], header: &Header<'_>) -> Option<&'static str> {
    let has = |names: &[&str]| names.iter().filter(|name| header.alike(name).next().is_some()).count();
    let of_periods = wanted.iter().any(|wanted| wanted.column == "period_start");
    if of_periods {
        return (has(&OF_LINES) > 0 && has(&OF_PERIODS) == 0).then_some("orders and line items are read with `from=transactions`");
    }
    let is_theirs = has(&OF_PERIODS[..2]) > 0 && has(&OF_LINES) == 0;
    is_theirs.then_some("period aggregations are read with `from=periods`")
}

/// The column that may be meant by a missing one.
fn proposal<'h, const N: usize>(
    role: usize,
    wanted: &[Wanted<'_>; N],
    found: &[Option<Vec<Part>>; N],
    header: &Header<'h>,
) -> Option<&'h str> {
    let is_taken = |at: usize| found.iter().flatten().flatten().any(|part| *part == Part::Field(at));
    // Of a name that was said and of ours, whichever is more alike.
    let like = |role: usize, there: &str| {
        let by_name = likeness(&wanted[role].name, there).max(likeness(wanted[role].column, there));
        Some(by_name).filter(|likeness| *likeness > ALIKE_LETTERS).unwrap_or_default().max(by_words(wanted[role].column, there))
    };
    let can_be = |role: usize, there: &str| {
        let column = wanted[role].column;
        !is_of_another_kind(column, there) && !is_of_something_else(column, there)
    };
    let fits = |at: &usize| {
        let there = header.names[*at];
        let others = (0..N).filter(|other| *other != role && can_be(*other, there));
        let best = others.map(|other| like(other, there)).fold(0.0, f64::max);
        !is_taken(*at) && can_be(role, there) && like(role, there) > ALIKE && like(role, there) >= best
    };
    let places = (0..header.names.len()).filter(fits);
    places.max_by(|a, b| like(role, header.names[*a]).total_cmp(&like(role, header.names[*b]))).map(|at| header.names[at])
}

/// Whether the words of a name say that it is an id where a time is sought, or the like.
fn is_of_another_kind(column: &str, there: &str) -> bool {
    let words = words(there);
    let kinds: [&[&str]; 3] = [&WORDS_OF_TIMES, &WORDS_OF_IDS, &WORDS_OF_AMOUNTS];
    let own = match column {
        "customer_id" | "order_id" | "product_id" => 1,
        "event_ts" | "period_start" | "period_end" | "last_transaction_ts" => 0,
        "total_orders" | "quantity" => return false,
        _ => 2,
    };
    let says = |kind: usize| words.iter().any(|word| kinds[kind].contains(&word.as_str()));
    !says(own) && (0..3).any(|kind| kind != own && says(kind))
}

/// How alike a column is to a name that has words of what it holds.
fn by_words(column: &str, there: &str) -> f64 {
    let words = words(there);
    let says = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    match column {
        "unit_price" if says(&WORDS_OF_PRICES) => 0.75,
        "order_id" if says(&ORDERS) && says(&WORDS_OF_IDS) => 0.7,
        "customer_id" if says(&WORDS_OF_CUSTOMERS) => 0.7,
        "event_ts" if says(&WORDS_OF_TIMES[..WORDS_OF_DAYS]) => 0.7,
        "line_total" | "total_spend" if says(&WORDS_OF_AMOUNTS[..WORDS_OF_WORTH]) => 0.7,
        _ => 0.0,
    }
}

/// Two columns that could both be one of ours.
pub(super) fn ambiguous(wanted: &Wanted<'_>, one: &str, other: &str, origin: &Origin) -> Error {
    let column = wanted.column;
    let error = Error::data(format!("{one:?} and {other:?} could both be {column}")).input(&origin.name).stage(Stage::Source);
    error.help(format!("say which it is, with `columns.{column}={one}` or `columns.{column}={other}`"))
}

/// A column that is not made of several.
pub(super) fn joined(wanted: &Wanted<'_>, value: &str) -> Error {
    let what = format!("{value:?} joins columns, and {} is not made of several: ids and event_ts are", wanted.column);
    Error::usage(what).help(format!("name one with `columns.{}=NAME`", wanted.column))
}

/// A filter's column that is not there.
pub(super) fn no_such_column(name: &str, header: &Header<'_>, origin: &Origin) -> Error {
    let error = Error::data(format!("there is no column {name:?} to filter by; the columns are: {}", header.shown()));
    let error = error.input(&origin.name).stage(Stage::Source);
    match nearest(name, header.names, ALIKE) {
        Some(near) => error.help(format!("did you mean {near:?}?")),
        None => error.help("rows are filtered by a column that every input has: name that, or leave the filter out"),
    }
}

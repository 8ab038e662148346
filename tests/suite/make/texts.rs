//! CSV texts of rows, by number.

use std::ops::Range;

/// The columns of a text.
pub(crate) const HEADER: &str = "customer_id,period_start,period_end,total_orders,total_spend,last_transaction_ts";
/// Those without the optional one, with the end of the line.
pub(crate) const SHORT_HEADER: &str = "customer_id,period_start,period_end,total_orders,total_spend\n";

/// Rows with a header.
pub(crate) fn csv_of<S: AsRef<str>>(rows: &[S]) -> String {
    let rows = rows.iter().map(|row| format!("{}\n", row.as_ref()));
    [format!("{HEADER}\n")].into_iter().chain(rows).collect()
}

/// Good rows of a year, three a customer.
pub(crate) fn good_rows(n: usize) -> Vec<String> {
    let day = |month: usize| format!("2023-{month:02}-01");
    let row = |i: usize| {
        let (customer, month) = (i * 7 % (n / 3).max(1), i % 11 + 1);
        format!("good-{customer:05},{},{},{},{}.{:03},{}T12:00:00", day(month), day(month + 1), i % 4 + 1, i % 97, i % 1000, day(month))
    };
    (0..n).map(row).collect()
}

/// Rows of as many customers with long ids.
pub(crate) fn long_rows(n: usize) -> String {
    let long = "x".repeat(400);
    let rows = (0..n).map(|i| format!("{i}{long},2023-01-01,2023-02-01,1,5,\n"));
    [format!("{HEADER}\n")].into_iter().chain(rows).collect()
}

/// More of them than fit: twice as many as wait on their way to the partitions, and more.
pub(crate) const TOO_MANY: usize = 75_000;

/// Rows of as many customers, of which one in ten is good.
pub(crate) fn bad_rows(n: usize) -> String {
    let end = |i: usize| if i.is_multiple_of(10) { "2023-02-01" } else { "2022-12-01" };
    let rows = (0..n).map(|i| format!("customer-{i:07},2023-01-01,{},1,{i}.5,\n", end(i)));
    [format!("{HEADER}\n")].into_iter().chain(rows).collect()
}

/// A row as they come in a stream: few customers, six months.
pub(crate) fn short_row(i: usize) -> String {
    format!("c{},2023-0{m}-01,2023-0{m}-15,{},{}.{:02}\n", i % 97, i % 5 + 1, i % 50, i % 100, m = i % 6 + 1)
}

/// What such a row is worth, in cents.
pub(crate) fn short_row_cents(i: usize) -> i128 {
    (i % 50 * 100 + i % 100) as i128
}

/// Such rows, with a header.
pub(crate) fn short_rows(range: Range<usize>) -> String {
    SHORT_HEADER.to_owned() + &range.map(short_row).collect::<String>()
}

/// A row for each of so many customers, of whom each fifth one comes in the second half of the year, too.
pub(crate) fn half_year_rows(ids: Range<u32>) -> String {
    let row = |id: u32| {
        let first = format!("C-{id},2023-01-01,2023-02-01,{},{}.{:02}\n", id % 4 + 1, id % 97, id % 89);
        let second = format!("C-{id},2023-07-01,2023-{:02}-01,1,{}\n", id % 4 + 8, id % 13);
        if id.is_multiple_of(5) { first + &second } else { first }
    };
    SHORT_HEADER.to_owned() + &ids.map(row).collect::<String>()
}

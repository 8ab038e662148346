//! Finds every column of ours among an input's names.

use super::derive::{Derive, Part};
use super::filter::Filter;
use super::grammar::{self, Alternative};
use super::header::Header;
use super::{Join, Located, NOTHING, Plain, Wanted, advice, watched};
use crate::base::error::Result;
use crate::model::note::{Notes, Topic};
use crate::model::period_batch::Origin;
use crate::model::read_options::ReadOptions;

/// What to look for in an input.
pub(crate) struct Request<'a, const N: usize> {
    pub(crate) wanted: [Wanted<'a>; N],
    /// Texts that are as good as none.
    pub(crate) nulls: &'a [String],
    /// Has the filters of rows.
    pub(crate) options: &'a ReadOptions,
    /// Columns of which one has to be there; none where nothing says what rows are worth.
    pub(crate) worth: &'a [usize],
    /// Takes what is noticed.
    pub(crate) notes: &'a Notes,
}

impl<const N: usize> Request<'_, N> {
    /// Finds every column among an input's names.
    ///
    /// # Errors
    /// When required columns are missing, when one is there twice, or could be one of several, or has two roles.
    pub(crate) fn locate(&self, names: &[&str], origin: &Origin) -> Result<Located<N>> {
        let header = Header::new(names, &origin.name);
        let mut found: [Option<Vec<Part>>; N] = [const { None }; N];
        let mut similar = Vec::new();
        let alternatives: [Vec<Alternative<'_>>; N] = self.wanted.each_ref().map(|wanted| grammar::alternatives(&wanted.name));
        // Exact names before names that are alike; what is made of other columns of ours after those.
        for (alike, joined) in [(false, false), (false, true), (true, false), (true, true)] {
            for role in 0..N {
                let is_joined = alternatives[role].iter().any(|alternative| alternative.parts.len() > 1);
                let wanted = &self.wanted[role];
                if found[role].is_none() && is_joined == joined && (wanted.read || wanted.required) {
                    found[role] = self.first(role, &alternatives[role], &header, &found, alike.then_some(&mut similar), origin)?;
                }
            }
        }
        advice::complete(&self.wanted, self.worth, &found, &header, origin)?;
        let filters = self.filters(&header, &found, &mut similar, origin)?;
        if !similar.is_empty() {
            self.notes.say(Topic::NameAlike, similar.join(", "));
        }
        for (parts, wanted) in found.iter_mut().zip(&self.wanted) {
            *parts = parts.take().filter(|_| wanted.read);
        }
        for (_, wanted) in found.iter().zip(&self.wanted).filter(|(parts, _)| parts.is_some()) {
            self.notes.add(Topic::ColumnRead, wanted.column, 1);
        }
        let has_role = |at: usize| found.iter().flatten().flatten().any(|part| *part == Part::Field(at));
        let is_chosen = |at: usize| filters.iter().any(|filter| filter.names_what_is_read() && filter.part == Part::Field(at));
        let watched = if self.worth.is_empty() { NOTHING } else { watched::columns(&header, has_role, is_chosen) };
        let plain = |parts: &Option<Vec<Part>>| matches!(parts.as_deref(), None | Some([Part::Field(_)]));
        if self.nulls.is_empty() && filters.is_empty() && found.iter().all(plain) {
            let at = found.map(|parts| match parts.as_deref() {
                Some([Part::Field(at)]) => Some(*at),
                _ => None,
            });
            return Ok(Located::Plain(Plain { at, watched }));
        }
        let joins = self.wanted.each_ref().map(|wanted| wanted.join);
        Ok(Located::Derived(Derive::new(found.map(Option::unwrap_or_default), joins, self.nulls, filters, watched, names)))
    }

    /// The filters, with the places of their columns.
    fn filters(
        &self,
        header: &Header<'_>,
        found: &[Option<Vec<Part>>; N],
        similar: &mut Vec<String>,
        origin: &Origin,
    ) -> Result<Vec<Filter>> {
        let mut filters = Filter::all(self.options);
        for filter in &mut filters {
            let exact = header.exact(&filter.column).map_err(|e| e.input(&origin.name))?;
            let near: Vec<_> = if exact.is_none() { header.alike(&filter.column).collect() } else { Vec::new() };
            filter.part = match (exact, &near[..], self.role(&filter.column).and_then(|role| found[role].as_deref())) {
                (Some(part), ..) => part,
                (None, [(at, there)], _) => {
                    similar.push(format!("{there:?} is read as {}", filter.column));
                    Part::Field(*at)
                }
                (None, _, Some([part])) => part.clone(),
                _ => return Err(advice::no_such_column(&filter.column, header, origin)),
            };
        }
        Ok(filters)
    }

    /// The parts of the first alternative that is there.
    fn first(
        &self,
        role: usize,
        alternatives: &[Alternative<'_>],
        header: &Header<'_>,
        found: &[Option<Vec<Part>>; N],
        mut similar: Option<&mut Vec<String>>,
        origin: &Origin,
    ) -> Result<Option<Vec<Part>>> {
        let wanted = &self.wanted[role];
        for alternative in alternatives {
            if let Some(part) = header.exact(alternative.whole).map_err(|e| e.input(&origin.name))? {
                return Ok(Some(vec![part]));
            }
            let several = alternative.parts.len() > 1;
            if several && wanted.join == Join::Never {
                return Err(advice::joined(wanted, alternative.whole));
            }
            let mut parts = Vec::new();
            for &name in &alternative.parts {
                let exact = if several { header.exact(name).map_err(|e| e.input(&origin.name))? } else { None };
                if let Some(part) = exact {
                    parts.push(part);
                } else if several && name == grammar::DAY && wanted.join == Join::Id {
                    parts.push(Part::Day);
                } else if let Some(of) = self.role(name).filter(|of| several && *of != role).and_then(|of| found[of].clone()) {
                    parts.extend(of);
                } else if let Some(similar) = &mut similar
                    && let Some((at, there)) = alike(name, header, found, wanted, origin)?
                {
                    similar.push(format!("{there:?} is read as {}", if several { name } else { wanted.column }));
                    parts.push(Part::Field(at));
                } else {
                    break;
                }
            }
            let all = parts.len() >= alternative.parts.len();
            if all && parts.contains(&Part::Day) && !self.has_time(found) {
                continue;
            }
            if all {
                return Ok(Some(parts));
            }
        }
        Ok(None)
    }

    fn role(&self, name: &str) -> Option<usize> {
        self.wanted.iter().position(|wanted| wanted.column == name)
    }

    /// Whether the time was found, whose day is a part of something.
    fn has_time(&self, found: &[Option<Vec<Part>>; N]) -> bool {
        let times = self.wanted.iter().zip(found).filter(|(wanted, _)| wanted.join == Join::Time);
        times.into_iter().any(|(_, parts)| parts.is_some())
    }
}

/// The one column that differs from a name by case, blanks, underscores and hyphens alone, and is no other column of ours.
fn alike<'h, const N: usize>(
    name: &str,
    header: &Header<'h>,
    found: &[Option<Vec<Part>>; N],
    wanted: &Wanted<'_>,
    origin: &Origin,
) -> Result<Option<(usize, &'h str)>> {
    let taken = |at: usize| found.iter().flatten().any(|parts| matches!(parts[..], [Part::Field(field)] if field == at));
    let near: Vec<_> = header.alike(name).filter(|(at, _)| !taken(*at)).collect();
    match near[..] {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        [(_, one), (_, other), ..] => Err(advice::ambiguous(wanted, one, other, origin)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::error::Error;
    use crate::model::line_columns::{TransactionColumn as Column, TransactionColumns};
    use crate::source::mapping::Scratch;
    use crate::source::row_kind::{RowKind, TextRowKind};
    use crate::source::transactions::{TransactionOptions, Transactions};

    fn kind(mapping: &[(&str, &str)]) -> Transactions {
        let columns = mapping.iter().map(|(column, name)| (Column::from_name(column).unwrap(), (*name).to_owned())).collect();
        Transactions::new(TransactionColumns(columns), &TransactionOptions::default(), chrono_tz::Tz::UTC).unwrap()
    }

    /// The texts of order, customer, time and total of a record, and the notes.
    fn read(mapping: &[(&str, &str)], header: &str, record: &str, path: &str) -> Result<(String, Vec<String>)> {
        let (kind, origin) = (kind(mapping), Origin { name: path.to_owned() });
        let names: Vec<&str> = header.split(',').collect();
        let all: Vec<Option<&str>> = record.split(',').map(|field| Some(field).filter(|f| !f.is_empty())).collect();
        let mut scratch = Scratch::default();
        let texts = match kind.find(&names, &origin)? {
            Located::Plain(Plain { at, .. }) => format!("{:?}", shown(at.map(|at| at.and_then(|at| all[at])))),
            Located::Derived(derive) => {
                let fields: Vec<_> = derive.fields.iter().map(|&at| all[at]).collect();
                let texts = derive.texts(&fields, &mut scratch, |time, out| kind.day(time, out));
                texts.map_or("left out".to_owned(), |texts| format!("{:?}", shown(texts)))
            }
        };
        Ok((texts.replace('"', ""), kind.notes().texts()))
    }

    fn shown(texts: [Option<&str>; 10]) -> [&str; 4] {
        [Column::OrderId, Column::CustomerId, Column::EventTs, Column::LineTotal].map(|column| texts[column as usize].unwrap_or("-"))
    }

    #[track_caller]
    fn is(mapping: &[(&str, &str)], header: &str, record: &str, texts: &str) {
        assert_eq!(read(mapping, header, record, "f.csv").unwrap().0, texts);
    }

    fn said(error: Error) -> String {
        format!("{error}; {}", error.advice().unwrap_or_default())
    }

    #[test]
    fn the_first_name_that_is_there_counts() {
        let map = [("order_id", "Invoice|InvoiceNo")];
        is(&map, "InvoiceNo,customer_id,event_ts,line_total", "1,a,2023-01-05,5", "[1, a, 2023-01-05, 5]");
        is(&map, "InvoiceNo,Invoice,customer_id,event_ts,line_total", "1,2,a,2023-01-05,5", "[2, a, 2023-01-05, 5]");
        // A name that is there wins over the grammar.
        is(&map, "Invoice|InvoiceNo,Invoice,customer_id,event_ts,line_total", "1,2,a,2023-01-05,5", "[1, a, 2023-01-05, 5]");
        is(&[("order_id", "a+b")], "a+b,a,b,customer_id,event_ts,line_total", "1,2,3,a,2023-01-05,5", "[1, a, 2023-01-05, 5]");
        is(&[], "order_id,customer_id,order_ts,line_total", "1,a,2023-01-05,5", "[1, a, 2023-01-05, 5]");
    }

    #[test]
    fn joined_ids_differ_where_their_parts_do() {
        let ids =
            |record: &str| read(&[("order_id", "store + no")], "store,no,customer_id,event_ts,line_total", record, "f.csv").unwrap().0;
        let records = ["1,23", "12,3", "1+2,3", "1,2+3", "1\\,+3", ",123", "123,"];
        let mut all: Vec<_> = records.iter().map(|record| ids(&format!("{record},a,2023-01-05,5"))).collect();
        assert_eq!(all[0], "[1+23, a, 2023-01-05, 5]");
        all.sort();
        all.dedup();
        assert_eq!(all.len(), records.len());
        assert_eq!(ids(",,a,2023-01-05,5"), "[-, a, 2023-01-05, 5]");
    }

    #[test]
    fn a_day_makes_orders() {
        let map = [("order_id", "customer_id+day"), ("customer_id", "member")];
        let header = "member,event_ts,line_total";
        is(&map, header, "a,2023-01-05T23:59:00-05:00,5", "[a+2023-01-05, a, 2023-01-05T23:59:00-05:00, 5]");
        is(&map, header, ",2023-01-05,5", "[+2023-01-05, -, 2023-01-05, 5]");
        // A column of that name is no day.
        is(&map, "member,event_ts,line_total,day", "a,2023-01-05,5,x", "[a+x, a, 2023-01-05, 5]");
    }

    #[test]
    fn a_date_and_a_time_of_day_are_a_time() {
        let time = |record: &str| {
            let map = [("event_ts", "Date+Time")];
            read(&map, "order_id,customer_id,Date,Time,line_total", record, "f.csv").unwrap().0
        };
        assert_eq!(time("1,a,2023-01-05,10:15,5"), "[1, a, 2023-01-05 10:15, 5]");
        assert_eq!(time("1,a,2023-01-05 00:00:00,10:15,5"), "[1, a, 2023-01-05 10:15, 5]");
        assert_eq!(time("1,a,2023-01-05,,5"), "[1, a, -, 5]");
    }

    #[test]
    fn names_that_are_alike_are_taken_and_said() {
        let (texts, notes) = read(&[], "ORDER-ID,CustomerID,event_ts,Line_Total", "1,a,2023-01-05,5", "f.csv").unwrap();
        assert_eq!(texts, "[1, a, 2023-01-05, 5]");
        let note = "\"ORDER-ID\" is read as order_id, \"CustomerID\" is read as customer_id, \"Line_Total\" is read as line_total";
        assert_eq!(notes, [note]);
        // An exact name counts alone.
        let (texts, notes) = read(&[], "Order_ID,order_id,customer_id,event_ts,line_total", "1,2,a,2023-01-05,5", "f.csv").unwrap();
        assert_eq!((texts.as_str(), notes.len()), ("[2, a, 2023-01-05, 5]", 0));
        let two = said(read(&[], "OrderID,ORDER_ID,customer_id,event_ts,line_total", "", "f.csv").unwrap_err());
        assert!(two.contains("could both be order_id") && two.contains("`columns.order_id=OrderID`"), "{two}");
    }

    #[test]
    fn folders_have_values() {
        let map = [("event_ts", "order_date")];
        let read = |header: &str, record: &str| read(&map, header, record, "orders/order_date=2023-01-05/part.csv").unwrap().0;
        assert_eq!(read("order_id,customer_id,line_total", "1,a,5"), "[1, a, 2023-01-05, 5]");
        assert_eq!(read("order_id,customer_id,line_total,order_date", "1,a,5,2024-02-01"), "[1, a, 2024-02-01, 5]");
    }

    #[test]
    fn one_column_has_one_role() {
        let map = [("order_id", "customer_id")];
        let text = said(read(&map, "customer_id,event_ts,line_total", "", "f.csv").unwrap_err());
        assert!(text.contains("cannot be both order_id and customer_id") && text.contains("customer_id+day"), "{text}");
    }

    #[test]
    fn all_missing_columns_are_named_and_none_is_proposed_that_has_a_role() {
        let text = said(read(&[], "t_dat,CustomerID,article_id,price", "", "f.csv").unwrap_err());
        assert!(text.contains("there is no column \"order_id\", \"event_ts\", \"unit_price\";"), "{text}");
        assert!(!text.contains("columns.order_id=CustomerID") && text.contains("`columns.order_id=customer_id+day`"), "{text}");
        assert!(text.contains("`one_row_per_order=true`"), "{text}");
        let text = said(read(&[], "Order Number,Order Date,customer_id,line_total", "", "f.csv").unwrap_err());
        assert!(text.contains("`columns.order_id=Order Number`"), "{text}");
        let map = [("order_id", "Invoice"), ("customer_id", "Customer ID")];
        let text = said(read(&map, "InvoiceNo,CustomerID,event_ts,line_total", "", "f.csv").unwrap_err());
        assert!(text.contains("Then run with `columns.order_id=InvoiceNo`") && !text.contains("columns.customer_id"), "{text}");
        let text = said(read(&[("customer_id", "who")], "who,period_start,period_end,total_orders", "", "f.csv").unwrap_err());
        assert!(text.contains("`from=periods`"), "{text}");
    }

    #[test]
    fn what_is_not_made_of_several_is_refused() {
        let text = said(read(&[("line_total", "a+b")], "order_id,customer_id,event_ts,a,b", "", "f.csv").unwrap_err());
        assert!(text.contains("line_total is not made of several"), "{text}");
    }
}

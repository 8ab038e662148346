//! Orders that a state has already. Where a state keeps the ids of its orders, those of an input wait, sorted by the hashes of their ids, until
//! all have been read. Then they are looked for among the ids that are kept, hash by hash, and only new ones go on.
//!
//! ```text
//!  orders ──▶ PendingOrders ──sorted──▶ NewOrders ──▶ PeriodBatch ──▶ route
//!             may spill                    ▲   └──marks──▶ Sorter ──▶ the state's next run file
//!                                 KnownMarks: what the state keeps
//! ```
//!
//! An id is kept as an [`OrderMark`]: a hash of 128 bits, whether money was given back, and a digest of what the state knows of the order, its
//! customer, moment and worth. An order that comes again with an equal mark is left out and noted. One that comes again with another is a
//! fault like any other, [`Fault::Changed`]. Refunds that come without their order have a mark of their own.
//!
//! Which orders are taken is a function of the orders alone: of several with one id in one input, the one with the least mark.
//! Memory: that of the sorter, and a frame of each run file. One hash is looked at at a time.

use super::LineSummary;
use super::fault::Fault;
use super::group::Order;
use super::order_source::OrderBatch;
use super::partial_order::PartialOrder;
use super::settle::Sums;
use super::to_periods::PeriodFinder;
use super::validate::{Validation, rejected};
use crate::base::bytes::sort_key::{put_number, put_signed, put_text, take_bytes, take_number, take_signed, take_text};
use crate::base::error::{Error, Result, Stage};
use crate::base::money::{Amount, Total};
use crate::base::threads::lock;
use crate::model::line_columns::TransactionColumn as Column;
use crate::model::note::Topic;
use crate::model::period_batch::PeriodBatch;
use crate::model::reject::{REJECT_HELP, Reason};
use crate::source::{Chunk, Sink, Source};
use crate::spill::{Merged, Sorter, Sorting};
use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};
use std::collections::BTreeMap;
use std::mem::take;
use std::sync::{Arc, Mutex};
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// Rows that are handed over at a time.
const ROWS: usize = 8_192;
/// The seeds of hashes of ids, and of digests, which lie in states: they must never change.
const SEED: u64 = 0x6f72_6465_7269_6473;
const SECRETS: RapidSecrets = RapidSecrets::seed_cpp(SEED);

/// What is known of an order without knowing it, as bytes whose order is that of hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OrderMark([u8; OrderMark::LENGTH]);

/// What gives money back in an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Holds {
    /// Nothing.
    Sales,
    /// Some of its lines.
    Both,
    /// All of them: refunds that came without their order.
    Refunds,
}

impl OrderMark {
    pub(crate) const LENGTH: usize = 25;

    fn new(order: &[u8], holds: Holds, digest: u64) -> Self {
        let mut mark = [0; Self::LENGTH];
        mark[..16].copy_from_slice(&xxh3_128_with_seed(order, SEED).to_be_bytes());
        mark[16] = holds as u8;
        mark[17..].copy_from_slice(&digest.to_be_bytes());
        OrderMark(mark)
    }

    /// A mark that was written; none where it is no mark.
    pub(crate) fn read(record: &[u8]) -> Option<Self> {
        let mark: [u8; Self::LENGTH] = record.try_into().ok()?;
        (mark[16] <= Holds::Refunds as u8).then_some(OrderMark(mark))
    }

    /// The hash of its order's id.
    pub(crate) fn hash(&self) -> [u8; 16] {
        let mut hash = [0; 16];
        hash.copy_from_slice(&self.0[..16]);
        hash
    }

    fn holds(&self) -> Holds {
        [Holds::Sales, Holds::Both, Holds::Refunds][usize::from(self.0[16])]
    }
}

impl AsRef<[u8]> for OrderMark {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The marks that are known, in order, each with the number of the file that has it.
pub(crate) trait KnownMarks: Send {
    /// The next one.
    ///
    /// # Errors
    /// When it cannot be read.
    fn next(&mut self) -> Result<Option<(OrderMark, u32)>>;
}

/// Orders that wait until all have been read; shared by threads.
#[derive(Debug)]
pub(crate) struct PendingOrders(Sorter);

/// Where the orders of one source wait, with the number of that source.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) orders: Arc<PendingOrders>,
    pub(crate) source: u32,
}

impl PendingOrders {
    pub(crate) fn new(sorting: Sorting) -> Self {
        PendingOrders(Sorter::new(sorting))
    }

    pub(crate) fn read(&self) -> Result<Merged> {
        Ok(self.0.finish()?.read())
    }
}

impl Waiting {
    /// Takes an order that was added up, some lines of which may give money back.
    pub(super) fn push(&self, line: &PartialOrder<'_>, sums: &Sums<Total>, gives_back: bool) -> Result<()> {
        let holds = match (sums.counts, gives_back) {
            (true, false) => Holds::Sales,
            (true, true) => Holds::Both,
            (false, _) => Holds::Refunds,
        };
        self.orders.0.buffer().push(|out| write(line, sums, holds, self.source, out))
    }

    /// Takes a row that is a whole order, or refuses it as a bad row.
    pub(super) fn push_whole(&self, line: &PartialOrder<'_>, periods: &PeriodFinder, validation: &Validation) -> Result<()> {
        let amount = Some(line.spend.into());
        if line.order.is_empty() {
            let reject = rejected(line, validation, Reason::MissingValue, Column::OrderId, String::new());
            let help = "where a state keeps order ids, each row needs one: name the column with `columns.order_id=NAME`";
            return validation.reject(reject, Column::OrderId, amount, help);
        }
        let (margin, quantity) = (Total::default(), Total::default());
        let sums = Sums { time: line.time, counts: line.counts, spend: line.spend.into(), margin, quantity };
        match periods.settle(line.customer.is_some(), &sums, &mut LineSummary::default()) {
            Ok(_) => self.push(line, &sums, !line.counts),
            Err(fault) => validation.reject(fault.reject(line, validation), fault.column(), amount, REJECT_HELP),
        }
    }
}

fn write(line: &PartialOrder<'_>, sums: &Sums<Total>, holds: Holds, source: u32, out: &mut Vec<u8>) {
    let begin = out.len();
    out.extend_from_slice(&[0; OrderMark::LENGTH]);
    out.extend_from_slice(&source.to_be_bytes());
    out.extend_from_slice(&line.position.to_be_bytes());
    let known = out.len();
    put_text(line.customer.unwrap_or_default(), out);
    let (carry, cents, fraction) = sums.spend.split();
    let is_large = carry != 0;
    out.extend_from_slice(&[line.customer.is_some().into(), sums.counts.into(), is_large.into()]);
    if is_large {
        out.extend_from_slice(&carry.to_be_bytes());
    }
    put_signed(cents, out);
    put_number(fraction, out);
    put_signed(sums.time, out);
    let digest = rapidhash_v3_seeded(&out[known..], &SECRETS);
    out[begin..begin + OrderMark::LENGTH].copy_from_slice(OrderMark::new(line.order, holds, digest).as_ref());
    put_text(line.order, out);
}

/// An order that was read back.
struct Pending {
    mark: OrderMark,
    source: u32,
    position: u64,
    customer: Option<Vec<u8>>,
    order: Vec<u8>,
    counts: bool,
    spend: Total,
    time: i64,
}

fn read(mut record: &[u8]) -> Option<Pending> {
    let bytes = &mut record;
    let mark = OrderMark::read(&take_bytes::<{ OrderMark::LENGTH }>(bytes)?)?;
    let (source, position) = (u32::from_be_bytes(take_bytes(bytes)?), u64::from_be_bytes(take_bytes(bytes)?));
    let customer = take_text(bytes)?.into_owned();
    let [named, counts, is_large] = take_bytes(bytes)?;
    let carry = if is_large == 0 { 0 } else { i128::from_be_bytes(take_bytes(bytes)?) };
    let (cents, fraction) = (i128::from(take_signed(bytes)?), take_number(bytes)?);
    let spend = Total::new(carry.checked_add(cents)?, fraction);
    let time = take_signed(bytes)?;
    let order = take_text(bytes)?.into_owned();
    Some(Pending { mark, source, position, customer: (named != 0).then_some(customer), order, counts: counts != 0, spend, time })
}

/// What becomes of an order.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    New,
    /// It was there: in a file of the state, or earlier in the input.
    Known(Option<u32>),
    /// One with its id was there, and differs.
    Changed,
}

/// The marks of one hash: those of the state, and those that were taken.
#[derive(Debug, Default)]
struct SameHash {
    known: Vec<(OrderMark, u32)>,
    taken: Vec<OrderMark>,
}

impl SameHash {
    fn judge(&mut self, mark: OrderMark) -> Fate {
        if let Some((_, file)) = self.known.iter().find(|(known, _)| *known == mark) {
            return Fate::Known(Some(*file));
        }
        if self.taken.contains(&mark) {
            return Fate::Known(None);
        }
        // Refunds that came without their order may be a part of one that came with its refunds.
        let goes_with = |holds: [Holds; 2]| holds == [Holds::Refunds, Holds::Sales] || holds == [Holds::Sales, Holds::Refunds];
        let clashes = |other: &OrderMark| !goes_with([mark.holds(), other.holds()]);
        if self.known.iter().map(|(known, _)| known).chain(&self.taken).any(clashes) {
            return Fate::Changed;
        }
        self.taken.push(mark);
        Fate::New
    }
}

/// What came of looking for orders: how many were left out, by the number of the file that has them.
pub(crate) type LeftOutOf = Arc<Mutex<BTreeMap<u32, u64>>>;

/// The orders that are new, as a source of period aggregations.
pub(crate) struct NewOrders {
    pending: Merged,
    known: Box<dyn KnownMarks>,
    /// The next of the known marks, once one was read.
    next: Option<Option<(OrderMark, u32)>>,
    same: SameHash,
    hash: Option<[u8; 16]>,
    validations: Arc<[Arc<Validation>]>,
    batch: OrderBatch,
    periods: PeriodFinder,
    /// The counts of each source, until all of it is known.
    counted: Vec<LineSummary>,
    /// Takes the marks of the orders that go on.
    marks: Arc<Sorter>,
    left_out: LeftOutOf,
}

impl NewOrders {
    /// `validations` are those of the sources, by their numbers.
    pub(crate) fn new(
        pending: Merged,
        known: Box<dyn KnownMarks>,
        validations: Vec<Arc<Validation>>,
        periods: PeriodFinder,
        marks: Arc<Sorter>,
        left_out: LeftOutOf,
    ) -> Self {
        let validations: Arc<[_]> = validations.into();
        let batch = OrderBatch::new(validations.clone(), periods.clone());
        let counted = vec![LineSummary::default(); validations.len()];
        let (next, same, hash) = Default::default();
        NewOrders { pending, known, next, same, hash, validations, batch, periods, counted, marks, left_out }
    }

    /// Goes on to the known marks of a hash.
    fn seek(&mut self, hash: [u8; 16]) -> Result<()> {
        if self.hash == Some(hash) {
            return Ok(());
        }
        (self.hash, self.same) = (Some(hash), SameHash::default());
        loop {
            let next = match self.next.take() {
                Some(next) => next,
                None => self.known.next()?,
            };
            match next {
                Some((mark, _)) if mark.hash() < hash => {}
                Some((mark, file)) if mark.hash() == hash => self.same.known.push((mark, file)),
                beyond => {
                    self.next = Some(beyond);
                    return Ok(());
                }
            }
        }
    }

    fn take(&mut self, order: &Pending) -> Result<()> {
        let (pending_source, source, none) = (order.source, order.source as usize, Total::default());
        let validation = self.validations.get(source).ok_or_else(damaged)?;
        let Pending { time, counts, spend, position, .. } = *order;
        let customer = order.customer.as_deref();
        match self.same.judge(order.mark) {
            Fate::Known(file) => {
                file.into_iter().for_each(|file| *lock(&self.left_out).entry(file).or_default() += 1);
                validation.notes.add_amount(Topic::KnownOrders, "", 1, spend);
                return Ok(());
            }
            Fate::Changed => {
                let spent = Amount { cents: i64::try_from(spend.rounded().hundredths()).unwrap_or(0), fraction: 0 };
                let line = PartialOrder { order: &order.order, customer, time, position, spend: spent, ..PartialOrder::default() };
                let (reject, fault) = (Fault::Changed.reject(&line, validation), Fault::Changed);
                return validation.reject(reject, fault.column(), Some(spend), fault.help());
            }
            Fate::New => self.marks.buffer().push(|out| out.extend_from_slice(order.mark.as_ref()))?,
        }
        let sums = Sums { time, counts, spend, margin: none, quantity: none };
        let settled = self.periods.settle(customer.is_some(), &sums, &mut self.counted[source]);
        let settled = settled.map_err(|_| damaged())?;
        if let Some((settled, customer)) = settled.zip(customer) {
            let order = Order { customer, time, counts, spend: settled.spend, margin: settled.margin, quantity: none, position };
            self.batch.push(&order, pending_source);
        }
        Ok(())
    }
}

fn damaged() -> Error {
    Error::internal("a record that is no order's")
}

impl Source for NewOrders {
    /// None: their lines have named them.
    fn inputs(&self) -> Vec<String> {
        Vec::new()
    }

    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk>>> {
        while self.batch.len() < ROWS {
            let Some(record) = self.pending.next().map_err(|e| e.stage(Stage::Source))? else { break };
            let order = read(record).ok_or_else(damaged)?;
            self.seek(order.mark.hash())?;
            self.take(&order)?;
        }
        for (validation, counted) in self.validations.iter().zip(&mut self.counted) {
            validation.count(take(counted));
        }
        if self.batch.len() == 0 { Ok(None) } else { Ok(Some(Box::new(Ready(self.batch.take()?)))) }
    }
}

/// A chunk that is decoded already.
struct Ready(PeriodBatch);

impl Chunk for Ready {
    fn decode(self: Box<Self>, sink: &mut Sink<'_>) -> Result<()> {
        sink(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(holds: Holds, digest: u64) -> OrderMark {
        OrderMark::new(b"1001", holds, digest)
    }

    /// States keep marks: they never change.
    #[test]
    fn marks_stay_what_they_are() {
        let hex: String = OrderMark::new(b"O-1", Holds::Both, 7).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "41c718b557c7120f394204d95e2539ed010000000000000007");
        let (line, zero) = (PartialOrder { order: b"O-1", customer: Some(b"anna"), ..PartialOrder::default() }, Total::default());
        let mut record = Vec::new();
        write(&line, &Sums { time: 86_400_000_000, counts: true, spend: zero, margin: zero, quantity: zero }, Holds::Sales, 0, &mut record);
        let digest: String = record[17..25].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, "3a4354c43d9942e1");
    }

    #[test]
    fn records_come_back() {
        let line = PartialOrder { order: b"O\0-1", customer: Some(b"an\0na"), position: 77, ..PartialOrder::default() };
        for (cents, fraction) in [(0, 0), (-250, 3), (i128::from(i64::MAX) * 3, 999), (i128::from(i64::MIN) * 2 - 5, 1)] {
            let (spend, zero) = (Total::new(cents, fraction), Total::default());
            let mut record = Vec::new();
            write(&line, &Sums { time: -5, counts: false, spend, margin: zero, quantity: zero }, Holds::Refunds, 3, &mut record);
            let found = read(&record).unwrap_or_else(|| panic!("{cents}"));
            assert_eq!((found.source, found.position, found.time, found.counts), (3, 77, -5, false));
            assert_eq!((found.spend, found.customer.as_deref(), &found.order[..]), (spend, Some(&b"an\0na"[..]), &b"O\0-1"[..]));
            (0..record.len()).for_each(|cut| drop(read(&record[..cut])));
        }
    }

    #[test]
    fn orders_come_again_or_changed() {
        use Holds::{Both, Refunds, Sales};
        let fate = |known: &[(Holds, u64)], holds, digest| {
            let known = known.iter().map(|&(holds, digest)| (mark(holds, digest), 4)).collect();
            SameHash { known, taken: Vec::new() }.judge(mark(holds, digest))
        };
        assert_eq!(fate(&[], Sales, 1), Fate::New);
        assert_eq!(fate(&[(Sales, 1)], Sales, 1), Fate::Known(Some(4)));
        assert_eq!(fate(&[(Sales, 1)], Sales, 2), Fate::Changed);
        // A refund on a later day, of an order that had none; and again.
        assert_eq!(fate(&[(Sales, 1)], Refunds, 2), Fate::New);
        assert_eq!(fate(&[(Sales, 1), (Refunds, 2)], Refunds, 2), Fate::Known(Some(4)));
        assert_eq!(fate(&[(Sales, 1), (Refunds, 2)], Refunds, 3), Fate::Changed);
        assert_eq!(fate(&[(Refunds, 2)], Sales, 1), Fate::New);
        // It may be one that came with the order, or the order may have it now.
        assert_eq!(fate(&[(Both, 1)], Refunds, 2), Fate::Changed);
        assert_eq!(fate(&[(Refunds, 2)], Both, 1), Fate::Changed);
        assert_eq!(fate(&[(Sales, 1)], Both, 1), Fate::Changed);
        // Merged states may have two orders of one id.
        assert_eq!(fate(&[(Sales, 1), (Sales, 2)], Sales, 2), Fate::Known(Some(4)));
        let mut same = SameHash::default();
        let fates = [(Sales, 1), (Sales, 1), (Sales, 2), (Refunds, 5)].map(|(holds, digest)| same.judge(mark(holds, digest)));
        assert_eq!(fates, [Fate::New, Fate::Known(None), Fate::Changed, Fate::New]);
    }
}

//! Partials of little sketches, which cannot hold all customers, and files that are not what was written.

use super::*;
use crate::base::error::Kind;
use crate::lens::sketch::InCommon;
use crate::model::window::Window;
use arrow::array::{ArrayRef, Decimal128Array};

fn window(name: &str, start: i64) -> Window {
    Window { name: name.to_owned(), start, end: start + 10, observation_end: start + 10 }
}

/// A partial of a window with some customers, whose sketch holds 32 of them.
fn partial(name: &str, ids: std::ops::Range<u32>) -> Lens1Partial {
    let mut tally = Tally { sketch: Sketching::new(5), ..Tally::default() };
    for id in ids {
        tally.spend.add(i64::from(id % 7));
        tally.pairs.add(Pair { recency: (id % 3) as i32, frequency: i64::from(id % 5) + 1, customers: 1, spend: i128::from(id % 7) });
        tally.sketch.add(format!("C-{id:09}").as_bytes());
    }
    let windows = vec![WindowPartial { window: window("w", 0), customers_rejected: Default::default(), tally }];
    Lens1Partial { name: name.to_owned(), counted: Counted::Once, rows: Rows::default(), cohorts: None, windows }
}

#[test]
fn what_is_known_of_common_customers_decides() {
    // All customers are known, and they differ.
    let merged = Lens1Partial::merge(vec![partial("a", 0..20), partial("b", 20..32)], false).unwrap();
    assert_eq!((merged.at_most, merged.partial.counted()), (None, Counted::Once));
    assert_eq!(merged.partial.windows()[0].customers(), 32);
    // They share some.
    for disjoint in [false, true] {
        let error = Lens1Partial::merge(vec![partial("a", 0..20), partial("c", 30..31), partial("b", 18..32)], disjoint).unwrap_err();
        assert!(error.to_string().starts_with("a and b share customers: 2 of w ["), "{error}");
        let error = Lens1Partial::merge(vec![partial("a", 0..2_000), partial("b", 1_000..3_000)], disjoint).unwrap_err();
        assert!(error.to_string().contains("share customers: about "), "{error}");
        assert_eq!(error.kind(), Kind::Data);
    }
    // It is not known whether they share some.
    let large = || vec![partial("a", 0..2_000), partial("b", 2_000..5_000), partial("c", 5_000..5_020)];
    let error = Lens1Partial::merge(large(), false).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    assert!(error.to_string().starts_with("a and b are not known to be disjoint: up to "), "{error}");
    let merged = Lens1Partial::merge(large(), true).unwrap();
    assert!(matches!(merged.at_most, Some(200..=600)), "{:?}", merged.at_most);
    assert_eq!((merged.partial.counted(), merged.partial.windows()[0].customers()), (Counted::Assumed, 5_020));
    // The file remembers, and so does what is merged of it.
    let back = Lens1Partial::from_bytes(&merged.partial.to_bytes().unwrap()).unwrap();
    assert_eq!(back.counted(), Counted::Assumed);
    let again = Lens1Partial::merge(vec![partial("d", 0..0), back], false).unwrap();
    assert_eq!((again.at_most, again.partial.counted()), (None, Counted::Assumed));
    assert!(Lens1Partial::merge(Vec::new(), true).is_err());
}

#[test]
fn compared_partials_are_put_together_where_that_can_be() {
    let together = |a, b, disjoint| compare(partial("a", a), partial("b", b), disjoint, &[10], 5).unwrap().windows.remove(0);
    let known = together(0..20, 20..32, false);
    assert_eq!((known.in_common, known.together.map(|t| t.answer.lens1.total_customers)), (InCommon::Disjoint, Some(32)));
    let unknown = together(0..2_000, 2_000..2_050, false);
    assert_eq!((unknown.in_common, unknown.together), (InCommon::AtMost(50), None));
    let said = together(0..2_000, 2_000..2_050, true).together.unwrap();
    assert_eq!((said.counted, said.answer.lens1.total_customers), (Counted::Assumed, 2_050));
    let shared = together(0..20, 10..32, true);
    assert!(matches!((shared.in_common, shared.together), (InCommon::Some(_), None)));
    assert!(compare(partial("a", 0..1), partial("b", 1..2), false, &[101], 5).is_err());
    assert!(compare(partial("a", 0..1), partial("b", 1..2), false, &[10], 10).is_err());
}

#[test]
fn windows_must_be_the_same() {
    let moved = |start: i64, late: i64| {
        let mut other = partial("b", 50..60);
        other.windows[0].window = Window { observation_end: start + 10 + late, ..window("later", start) };
        other
    };
    for other in [|| (20, 0), || (0, 1)] {
        let (start, late) = other();
        let error = Lens1Partial::merge(vec![partial("a", 0..5), moved(start, late)], true).unwrap_err().to_string();
        assert!(
            error.starts_with("a and b have different windows: only in the first: w [") && error.contains("second: later ["),
            "{error}"
        );
        let error = compare(partial("a", 0..5), moved(start, late), true, &[10], 5).unwrap_err().to_string();
        assert!(error.starts_with("a and b have no window in common: only in"), "{error}");
    }
    // Names make no difference, and neither does whose comes first.
    let bytes = |parts| Lens1Partial::merge(parts, false).unwrap().partial.to_bytes().unwrap();
    assert_eq!(bytes(vec![partial("a", 0..5), moved(0, 0)]), bytes(vec![moved(0, 0), partial("a", 0..5)]));
}

#[test]
fn no_byte_may_change() {
    let bytes = partial("a", 0..200).to_bytes().unwrap();
    assert_eq!(Lens1Partial::from_bytes(&bytes).unwrap().to_bytes().unwrap(), bytes);
    for at in (0..bytes.len()).step_by(7).chain(0..32) {
        assert!(Lens1Partial::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
        for flip in [1, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            let error = Lens1Partial::from_bytes(&changed).unwrap_err();
            assert!(error.advice().is_some(), "{error}");
        }
    }
    let more = [&bytes[..], &[0]].concat();
    assert!(Lens1Partial::from_bytes(&more).unwrap_err().to_string().contains("damaged"));
    let mut newer = bytes;
    newer[4] = 4;
    let error = Lens1Partial::from_bytes(&newer).unwrap_err();
    assert!(error.to_string().contains("version 4") && error.advice().unwrap().contains("newer"), "{error}");
}

/// Where one part does not know what pairs spent, all do not; everything else is known.
#[test]
fn a_part_without_spend_of_pairs_leaves_it_open() {
    let mut old = partial("b", 20..32);
    old.windows[0].tally.pairs.forget_spend();
    let old = Lens1Partial::from_bytes(&old.to_bytes().unwrap()).unwrap();
    let with = |other| Lens1Partial::merge(vec![partial("a", 0..20), other], false).unwrap().partial;
    let (open, known) = (with(old), with(partial("b", 20..32)));
    let (open_answer, answer) = (open.windows[0].answer(&[10], 5).unwrap(), known.windows[0].answer(&[10], 5).unwrap());
    assert!(open_answer.rf_cells.is_none());
    assert_eq!(WindowLens1 { rf_cells: answer.rf_cells.clone(), ..open_answer }, answer);
    let revenue = answer.rf_cells.unwrap().into_values().map(|cell| cell.revenue.hundredths()).sum::<i128>();
    assert_eq!(revenue, answer.lens1.total_revenue.hundredths());
    assert_eq!((open.to_bytes().unwrap()[4], known.to_bytes().unwrap()[4]), (1, 2));
}

/// A forged file with a right checksum is an error or a partial.
#[test]
fn forged_bytes_do_no_harm() {
    let bytes = partial("a", 0..40).to_bytes().unwrap();
    for at in 8..bytes.len() - 8 {
        for flip in [1, 0x40, 0xff] {
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            file::seal(&mut changed);
            if let Ok(partial) = Lens1Partial::from_bytes(&changed) {
                partial.windows().iter().for_each(|window| drop(window.answer(&[1, 100], 9)));
            }
        }
    }
}

/// Neither do forged cohorts, which lie at the end.
#[test]
fn forged_cohorts_do_no_harm() {
    let bytes = include_bytes!("../../tests/data/partials/11_quarters.v3.partial");
    assert!(Lens1Partial::from_bytes(bytes).unwrap().cohorts().is_some());
    for at in (bytes.len() - 3_300..bytes.len() - 8).step_by(11) {
        let mut changed = bytes.to_vec();
        changed[at] ^= [1, 0x40, 0xff][at % 3];
        file::seal(&mut changed);
        if let Ok(partial) = Lens1Partial::from_bytes(&changed) {
            assert!(partial.cohorts().is_some_and(|cohorts| !cohorts.health.is_empty()));
        }
    }
}

/// Batches with a right checksum that no partial has.
#[test]
fn foreign_batches_are_refused() {
    let mut batches = Vec::new();
    encode([&partial("a", 0..20).windows[0].tally].into_iter(), &mut batches).unwrap();
    assert_eq!(Partials.decode(&mut batches.clone().into_iter()).unwrap().len(), 1);
    for missing in 0..3 {
        assert!(Partials.decode(&mut batches.clone().into_iter().take(missing)).is_err());
    }
    let with = |at: usize, column: usize, array: ArrayRef| {
        let mut changed = batches.clone();
        let schema = changed[at].schema();
        let mut columns: Vec<(&str, ArrayRef)> =
            schema.fields().iter().map(|field| field.name().as_str()).zip(changed[at].columns().iter().cloned()).collect();
        columns[column].1 = array;
        changed[at] = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap();
        Partials.decode(&mut changed.into_iter())
    };
    let (amounts, pairs) = (batches[0].num_rows(), batches[1].num_rows());
    assert!(with(0, 0, Arc::new(UInt32Array::from(vec![1; amounts]))).is_err(), "a window that is not there");
    assert!(with(0, 1, Arc::new(UInt64Array::from(vec![1; amounts]))).is_err(), "another type");
    assert!(with(0, 2, Arc::new(UInt64Array::from(vec![None; amounts]))).is_err(), "nothing");
    assert!(with(0, 2, Arc::new(UInt64Array::from(vec![1; amounts]))).is_err(), "fewer customers");
    assert!(with(1, 0, Arc::new(UInt32Array::from(vec![1; pairs]))).is_err(), "a window that is not there");
    assert!(with(1, 3, Arc::new(UInt64Array::from(vec![u64::MAX; pairs]))).is_err(), "more customers");
    assert!(with(1, 4, Arc::new(Decimal128Array::from(vec![1; pairs]))).is_err(), "another spend");
    assert!(with(2, 0, Arc::new(LargeBinaryArray::from_iter_values([b"no sketch"]))).is_err(), "no sketch");
}

//! Batches that are not what a lens encoded: each is refused.

use arrow::array::{ArrayRef, Decimal128Array, Int64Array, RecordBatch, UInt8Array, UInt16Array, UInt32Array, UInt64Array};
use lensflow::lens::{Distribution, Lens1, Lens2, Measures, PortableLens, ScoreCells, ScoreMigrations};
use std::sync::Arc;

#[test]
fn foreign_batches_are_refused() {
    let nothing = || std::iter::empty();
    assert!(Lens1::default().decode(&mut nothing()).is_err());
    assert!(Distribution.decode(&mut nothing()).is_err());
    assert!(Lens2::default().decode(&mut nothing()).is_err());
    assert!(ScoreMigrations::default().decode(&mut nothing()).is_err());
    let mut batches = Vec::new();
    Lens1::default().encode(&vec![Measures::default()], &mut batches).expect("it encodes");
    assert!(Distribution.decode(&mut batches.clone().into_iter()).is_err());
    assert!(Lens2::default().decode(&mut batches.clone().into_iter()).is_err());
    assert!(ScoreMigrations::default().decode(&mut batches.clone().into_iter()).is_err());
    batches.clear();
    Distribution.encode(&vec![ScoreCells::default()], &mut batches).expect("it encodes");
    assert!(Lens1::default().decode(&mut batches.into_iter()).is_err());
    // An unknown measure, and more windows than any run has.
    for (window, measure) in [(0, 4), (u32::MAX, 0)] {
        let columns: [(&str, ArrayRef); 4] = [
            ("window", Arc::new(UInt32Array::from(vec![window]))),
            ("measure", Arc::new(UInt8Array::from(vec![measure]))),
            ("value", Arc::new(Int64Array::from(vec![0]))),
            ("count", Arc::new(UInt64Array::from(vec![1]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).expect("a batch");
        assert!(Lens1::default().decode(&mut std::iter::once(batch)).is_err(), "window {window}, measure {measure}");
    }
    let sum = || Arc::new(Decimal128Array::from(vec![1]));
    for (window, score) in [(u32::MAX, 555), (0, 1_000)] {
        let columns: [(&str, ArrayRef); 5] = [
            ("window", Arc::new(UInt32Array::from(vec![window]))),
            ("score", Arc::new(UInt16Array::from(vec![score]))),
            ("count", Arc::new(UInt64Array::from(vec![1]))),
            ("orders", sum()),
            ("revenue", sum()),
        ];
        let metadata = [("windows".to_owned(), "1".to_owned())].into();
        let batch = RecordBatch::try_from_iter(columns).expect("a batch");
        let schema = Arc::new(batch.schema().as_ref().clone().with_metadata(metadata));
        let batch = batch.with_schema(schema).expect("its own schema");
        assert!(Distribution.decode(&mut std::iter::once(batch)).is_err(), "window {window}, score {score}");
    }
}

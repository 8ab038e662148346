//! The engine equals the model: for any number of workers, batch size, row order and thread policy, pushed or read from a source, with
//! memory for all customers, for some or for none.
//!
//! [`run`] runs the pipeline, [`equals`] compares everything it says. The corners that random rows would hardly hit are in [`corners`].
//! `SUITE_CASES` sets the number of cases per property.

mod corners;
pub(crate) mod equals;
pub(crate) mod run;

use crate::make::cases;
use crate::support::config;
use equals::{equals, fails_iff_something_is_bad};
use lensflow::model::OnBadRow;
use proptest::prelude::*;
use run::{PLAIN, Run, rows_in_engine_order, runs};

proptest! {
    #![proptest_config(config(800))]

    #[test]
    fn the_engine_equals_the_model(case in cases(), run in runs()) {
        equals(&case, &run);
    }

    #[test]
    fn under_fail_any_bad_row_or_customer_is_an_error(case in cases(), run in runs()) {
        fails_iff_something_is_bad(&case, &Run { policy: OnBadRow::Fail, ..run });
        fails_iff_something_is_bad(&case, &Run { policy: OnBadRow::Fail, ..PLAIN });
    }

    #[test]
    fn rows_come_in_the_same_batches_whatever_the_run(case in cases(), runs in prop::collection::vec(runs(), 2)) {
        let plain = rows_in_engine_order(&case, &PLAIN);
        for run in &runs {
            assert_eq!(rows_in_engine_order(&case, run), plain, "{run:?}");
        }
    }
}

//! Windows, periods, moments and amounts as people write them.
#![no_main]

use lensflow::model::{Granularity, Window, as_of, beginning};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    drop((as_of(text), beginning(text), lensflow::time::parse_timestamp(text.as_bytes())));
    let _ = lensflow::money::Amount::parse(text.as_bytes());
    if let Ok(window) = text.parse::<Window>() {
        let _ = window.to_string();
    }
    if let Ok(every) = text.parse::<Granularity>() {
        assert_eq!(Granularity::try_from(String::from(every)).ok(), Some(every));
    }
});

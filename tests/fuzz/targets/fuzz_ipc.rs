//! Files of that format, of period aggregations and of orders.
#![no_main]

use lensflow::source::files::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| lensflow_fuzz::audit(bytes, Format::Arrow));

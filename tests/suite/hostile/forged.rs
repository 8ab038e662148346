//! The seeds of `tests/fuzz`, changed at random and with right checksums: a short stand-in for fuzzing, where that is not at hand.

use crate::make::Dice;
use crate::support::setting;
use lensflow::error::Kind;
use lensflow::lens::sketch::CustomerSketch;
use lensflow::testing::{forged_checkpoint, forged_manifest, forged_partial, forged_run_file};
use lensflow::{Error, Spec};
use std::fs;
use std::path::Path;

/// Some bytes of a seed changed, doubled, cut out or cut off.
fn changed(seed: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..1 + dice.below(4) {
        if bytes.is_empty() {
            break;
        }
        let at = dice.below(bytes.len());
        let length = 1 + dice.below(16.min(bytes.len() - at));
        match dice.below(6) {
            0 => bytes[at] = dice.below(256) as u8,
            1 => bytes[at] ^= 1 << dice.below(8),
            2 => drop(bytes.drain(at..at + length)),
            3 => bytes.truncate(at),
            4 => {
                let part = bytes[at..at + length].to_vec();
                bytes.splice(at..at, part);
            }
            _ => bytes[at..at + length].fill([0, 255, b'9'][dice.below(3)]),
        }
    }
    bytes
}

#[test]
fn what_is_forged_is_an_error_or_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let sketch = |bytes: &[u8]| CustomerSketch::from_bytes(bytes).map(|sketch| drop((sketch.customers(), sketch.to_bytes())));
    let spec = |bytes: &[u8]| serde_json::from_slice::<Spec>(bytes).map_or(Ok(()), |spec| spec.validate());
    let run_file = |bytes: &[u8]| {
        let read = forged_run_file(bytes, &path);
        fs::remove_file(&path).unwrap();
        read
    };
    type Reader<'a> = &'a dyn Fn(&[u8]) -> Result<(), Error>;
    let targets: [(&str, Reader<'_>); 6] = [
        ("manifest", &|bytes| forged_manifest(&text(bytes))),
        ("checkpoint", &|bytes| forged_checkpoint(&text(bytes))),
        ("run_file", &run_file),
        ("partial", &forged_partial),
        ("sketch", &sketch),
        ("spec", &spec),
    ];
    let (rounds, mut dice) = (setting("SUITE_FORGED", 400), Dice(setting("SUITE_SEED", 7)));
    for (target, read) in targets {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
        let mut seeds: Vec<_> = fs::read_dir(seeds).unwrap().map(|entry| entry.unwrap().path()).collect();
        seeds.sort();
        for seed in seeds.iter().map(|seed| fs::read(seed).unwrap()) {
            read(&seed).unwrap_or_else(|error| panic!("{target}: a seed: {error}"));
            for _ in 0..rounds {
                let bytes = changed(&seed, &mut dice);
                let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read(&bytes)));
                let is_fault = !matches!(&read, Ok(Ok(()))) && !matches!(&read, Ok(Err(error)) if error.kind() != Kind::Internal);
                assert!(!is_fault, "{target}: {:?}", String::from_utf8_lossy(&bytes));
            }
        }
    }
}

//! One bit of an input is another. Where the format has checksums, the answer is the same, or an error; else no row is lost without a word.

use super::*;
use crate::make::*;
use std::io::Write;

/// So many bits of some bytes, or as often as that as `LENSFLOW_FLIPS` says, each time the same.
fn bits(seed: u64, count: usize, bytes: std::ops::Range<usize>) -> impl Iterator<Item = (usize, u8)> {
    let mut dice = Dice(seed);
    (0..count * setting("LENSFLOW_FLIPS", 1)).map(move |_| (bytes.start + dice.below(bytes.len()), 1 << dice.below(8)))
}

/// How flips end: errors, equal answers, others.
fn flipped(name: &str, whole: &[u8], bits: impl Iterator<Item = (usize, u8)>, may_differ: bool) -> [usize; 3] {
    let folder = tempfile::tempdir().unwrap();
    let (same, rows) = answer(folder.path(), name, whole).unwrap();
    let mut ends = [0; 3];
    for (at, bit) in bits {
        let mut bytes = whole.to_vec();
        bytes[at] ^= bit;
        let end = match answer(folder.path(), name, &bytes) {
            Err(error) => {
                assert!(!error.to_string().contains("panicked"), "{name}: byte {at}, bit {bit}: {error}");
                0
            }
            Ok((found, _)) if found == same => 1,
            Ok((_, found)) => {
                assert!(may_differ && found == rows, "{name}: byte {at}, bit {bit}: {found} of {rows} rows");
                2
            }
        };
        ends[end] += 1;
    }
    ends
}

fn table() -> Table {
    Table::parse(&csv_of(&good_rows(200)))
}

#[test]
fn checksums_see_a_bit() {
    let csv = table().to_csv();
    let gzip = gzip(csv.as_bytes());
    flipped("rows.csv.gz", &gzip, bits(1, 300, 0..gzip.len()), false);
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(csv.as_bytes()).unwrap();
    let zstd = encoder.finish().unwrap();
    flipped("rows.csv.zst", &zstd, bits(2, 300, 0..zstd.len()), false);
    let parquet = fs::read(data("parquet_crc.parquet")).unwrap();
    let pages = 4..parquet.len() - 8 - u32::from_le_bytes(*parquet[parquet.len() - 8..].first_chunk().unwrap()) as usize;
    let [errors, ..] = flipped("rows.parquet", &parquet, bits(3, 500, pages.clone()), false);
    assert!(errors > 300, "{errors}");
    // The footer has none.
    flipped("rows.parquet", &parquet, bits(4, 500, pages.end..parquet.len()), true);
}

#[test]
fn no_row_is_lost_where_there_are_no_checksums() {
    for (encoding, name) in
        [(Encoding::ArrowStream, "rows.arrows"), (Encoding::ArrowFile, "rows.arrow"), (Encoding::Parquet, "rows.parquet")]
    {
        let bytes = encoding.encode(&table());
        flipped(name, &bytes, bits(5, 500, 0..bytes.len()), true);
    }
    let packed = fs::read(data("ipc_stream_one_bit_drops_100_rows.arrows")).map(|mut bytes| {
        // The bit that hides a batch.
        let hidden = bytes.windows(2).position(|pair| pair == [37, 0]).unwrap();
        bytes[hidden] = 5;
        bytes
    });
    let packed = packed.unwrap();
    flipped("packed.arrows", &packed, bits(6, 500, 0..packed.len()), true);
}

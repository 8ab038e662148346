//! Values that are more than a text or a number, and checks of single values. Each refuses with the library's own words where the library
//! has them. What is wrong, and what can be done about it, goes through serde as one text of two lines: [`ADVICE`] parts them.

use chrono_tz::Tz;
use lensflow::Result;
use lensflow::error::Error;
use lensflow::lens::sketch::Sketches;
use lensflow::memory::parse_size;
use lensflow::model::ReadOptions;
use lensflow::source::transactions::TransactionOptions;
use lensflow::spec::{Spec, validate_workers};
use lensflow::synthetic::Synthetic;
use serde::de::{Deserialize, Deserializer, Error as _, Unexpected, Visitor};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Parts what is wrong from what can be done about it.
pub(crate) const ADVICE: &str = "\n  help: ";

fn refused<E: serde::de::Error>(error: Error) -> E {
    E::custom(error.advice().map_or_else(|| error.to_string(), |advice| format!("{error}{ADVICE}{advice}")))
}

/// Something that is done with a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    History,
    Remove,
    Forget,
    Drop,
    Export,
}

/// Something that is done with segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SegmentsAction {
    Check,
    Move,
}

impl FromStr for SegmentsAction {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "check" => Ok(SegmentsAction::Check),
            "move" => Ok(SegmentsAction::Move),
            _ => Err(Error::usage(format!("{text:?} is nothing that is done with segments")).help("say check or move")),
        }
    }
}

impl FromStr for Action {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "history" => Ok(Action::History),
            "remove" => Ok(Action::Remove),
            "forget" => Ok(Action::Forget),
            "drop" => Ok(Action::Drop),
            "export" => Ok(Action::Export),
            _ => {
                Err(Error::usage(format!("{text:?} is nothing that is done with a state"))
                    .help("say history, remove, forget, drop or export"))
            }
        }
    }
}

/// A text that the library reads.
pub(super) fn text<'de, D: Deserializer<'de>, T: FromStr<Err = Error>>(from: D) -> Result<Option<T>, D::Error> {
    Parsed::deserialize(from).map(|parsed| Some(parsed.0))
}

/// Texts that the library reads.
pub(super) fn texts<'de, D: Deserializer<'de>, T: FromStr<Err = Error>>(from: D) -> Result<Option<Vec<T>>, D::Error> {
    Vec::<Parsed<T>>::deserialize(from).map(|list| Some(list.into_iter().map(|parsed| parsed.0).collect()))
}

/// A path, which need not be UTF-8 where flags say it.
pub(super) fn path<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    AnyPath::deserialize(from).map(|path| Some(path.0))
}

/// Paths, likewise.
pub(super) fn paths<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<PathBuf>>, D::Error> {
    Vec::<AnyPath>::deserialize(from).map(|list| Some(list.into_iter().map(|path| path.0).collect()))
}

struct AnyPath(PathBuf);

impl<'de> Deserialize<'de> for AnyPath {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(OfPath).map(AnyPath)
    }
}

struct OfPath;

impl Visitor<'_> for OfPath {
    type Value = PathBuf;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text in quotes")
    }

    fn visit_str<E: serde::de::Error>(self, path: &str) -> Result<PathBuf, E> {
        Ok(path.into())
    }

    #[cfg(unix)]
    fn visit_bytes<E: serde::de::Error>(self, path: &[u8]) -> Result<PathBuf, E> {
        use std::os::unix::ffi::OsStrExt;
        Ok(std::ffi::OsStr::from_bytes(path).into())
    }
}

struct Parsed<T>(T);

impl<'de, T: FromStr<Err = Error>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map(Parsed).map_err(refused)
    }
}

fn checked<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D, check: impl Fn(&T) -> Result<()>) -> Result<Option<T>, D::Error> {
    let value = T::deserialize(from)?;
    check(&value).map(|()| Some(value)).map_err(refused)
}

/// A moment that windows are seen as of.
pub(super) fn moment<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    let text = String::deserialize(from)?;
    lensflow::model::as_of(&text).map(Some).map_err(refused)
}

/// The beginning of a day, or a moment of it.
pub(super) fn date<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    let text = String::deserialize(from)?;
    lensflow::model::beginning(&text).map(Some).map_err(refused)
}

pub(super) fn workers<'de, D: Deserializer<'de>>(from: D) -> Result<Option<usize>, D::Error> {
    checked(from, |workers| validate_workers(*workers))
}

pub(super) fn batch_rows<'de, D: Deserializer<'de>>(from: D) -> Result<Option<usize>, D::Error> {
    checked(from, |&batch_rows| Spec::default().with_batch_rows(batch_rows).validate())
}

pub(super) fn bins<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    checked(from, |&bins| Spec::default().with_bins(bins).validate())
}

pub(super) fn percentiles<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u32>>, D::Error> {
    checked(from, |percentiles: &Vec<u32>| Spec::default().with_percentiles(percentiles.clone()).validate())
}

pub(super) fn month<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    checked(from, |month: &String| made_up(Synthetic { from: month.clone(), to: month.clone(), ..Synthetic::default() }))
}

pub(super) fn null_timestamps<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    checked(from, |&null_timestamps| made_up(Synthetic { null_timestamps, ..Synthetic::default() }))
}

fn made_up(with: Synthetic) -> Result<()> {
    with.generator().map(drop)
}

pub(super) fn commit_rows<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let none = |rows: &u64| if *rows == 0 { Err(Error::usage("0 rows are none").help("give at least 1")) } else { Ok(()) };
    checked(from, none)
}

pub(super) fn lg_k<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u8>, D::Error> {
    checked(from, |lg_k| Sketches::new(*lg_k).map(drop))
}

pub(super) fn dates<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    checked(from, |dates: &Vec<String>| TransactionOptions::default().with_reading(ReadOptions::default().with_date_formats(dates)).check())
        .map(Option::unwrap_or_default)
}

/// Words, of which one text may say several with commas between them.
pub(super) fn words<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let said = Vec::<String>::deserialize(from)?;
    let words: Vec<String> = said.iter().flat_map(|text| text.split(',')).map(|word| word.trim().to_owned()).collect();
    let empty = || refused(Error::usage("a word is expected").help("an empty value means nothing anyway: leave it out"));
    if words.iter().any(String::is_empty) { Err(empty()) } else { Ok(words) }
}

pub(super) fn header_line<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    checked(from, |&line| if line == 0 { Err(Error::usage("lines are counted from 1")) } else { Ok(()) })
}

pub(super) fn poll<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Time>, D::Error> {
    let none = |time: &Time| if time.0.is_zero() { Err(Error::usage("a time is expected that is longer than nothing")) } else { Ok(()) };
    checked(from, none)
}

/// Reads a number or a text.
struct Either<T> {
    what: &'static str,
    read: fn(&str) -> Result<T>,
    /// The greatest number that needs no unit.
    most: u64,
}

impl<T> Visitor<'_> for Either<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).map_err(refused)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<T, E> {
        if number > self.most {
            return Err(E::invalid_type(Unexpected::Unsigned(number), &self));
        }
        self.visit_str(&number.to_string())
    }
}

/// Bytes: a number, or a text such as `2GiB` or `50%`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size(pub(crate) u64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Either { what: "a number with a unit, such as \"2G\",", read: parse_size, most: u64::MAX }).map(Size)
    }
}

/// A number of customers, such as `1500`, `1_500`, `10K`, `10M` or `1G`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Customers(pub(crate) u64);

impl<'de> Deserialize<'de> for Customers {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Either { what: "a number with a unit, such as \"2G\",", read: customers, most: u64::MAX }).map(Customers)
    }
}

fn customers(text: &str) -> Result<u64> {
    let plain: String = text.chars().filter(|c| !matches!(c, '_' | ',')).collect();
    let (digits, factor) = match plain.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (&plain[..at], 1_000),
        Some((at, 'm' | 'M')) => (&plain[..at], 1_000_000),
        Some((at, 'g' | 'G' | 'b' | 'B')) => (&plain[..at], 1_000_000_000),
        _ => (plain.as_str(), 1),
    };
    let number: Option<u64> = digits.parse().ok();
    let wrong = || Error::usage(format!("{text:?}: a whole number such as 1500, 10K, 10M or 1G is expected"));
    let customers = number.and_then(|n| n.checked_mul(factor)).ok_or_else(wrong)?;
    made_up(Synthetic { customers, ..Synthetic::default() }).map(|()| customers)
}

/// Such as `30s` or `1h 30m`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time(pub(crate) Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Either { what: "a duration, such as \"30s\" or \"2m\",", read: time, most: 0 }).map(Time)
    }
}

fn time(text: &str) -> Result<Duration> {
    let wrong = |e| Error::usage(format!("{text:?} is not a duration: {e}")).help("write a duration as 500ms, 30s, 2m or 1h 30m");
    if text == "0" { Ok(Duration::ZERO) } else { humantime::parse_duration(text).map_err(wrong) }
}

/// An address to listen at; a port alone is one that only this machine reaches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Address(pub(crate) SocketAddr);

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Either { what: "an address or a port", read: address, most: u64::MAX }).map(Address)
    }
}

fn address(text: &str) -> Result<SocketAddr> {
    let port = text.parse().ok().map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    port.or_else(|| text.parse().ok())
        .ok_or_else(|| Error::usage(format!("{text:?} is not an address to listen at")).help("write \"127.0.0.1:9184\", or a port alone"))
}

/// A time zone.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Zone(pub(crate) Tz);

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        let unknown = |_| Error::usage(format!("{name:?} is not a time zone")).help("name one as IANA does, such as Europe/Berlin");
        name.parse().map(Zone).map_err(|e| refused(unknown(e)))
    }
}

/// Which files of a folder are inputs.
#[derive(Debug, Clone)]
pub(crate) struct Glob(pub(crate) String);

impl<'de> Deserialize<'de> for Glob {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let glob = String::deserialize(from)?;
        glob::Pattern::new(&glob).map_err(|e| D::Error::custom(format!("{glob:?} is not a glob: {e}")))?;
        Ok(Glob(glob))
    }
}

/// A value as messages call it.
pub(crate) fn found(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Str(text) => format!("{text:?}"),
        Unexpected::Signed(number) => number.to_string(),
        Unexpected::Unsigned(number) => number.to_string(),
        Unexpected::Float(number) => number.to_string(),
        Unexpected::Bool(is) => is.to_string(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::customers;

    #[test]
    fn counts() {
        let count = |text| customers(text).ok();
        assert_eq!((count("10M"), count("1_500")), (Some(10_000_000), Some(1_500)));
        assert!(["ten", "", "99999999999G", "K"].iter().all(|text| count(text).is_none()));
    }
}

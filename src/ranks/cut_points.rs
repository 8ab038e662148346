//! Given cut points: scores by edges that were decided elsewhere, so that windows scored by the same ones compare.
//!
//! Without them each window is scored by its own quantiles ([`score`](super::score)). With cut points c_1 < … < c_k of a measure, the bin of
//! a value is the number of them strictly below it, so there are k + 1 scores. The cut points that a window would have given are its inner
//! edges: scoring it by them changes nothing.

use crate::base::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A score is one digit.
const MOST: usize = 8;

/// The cut points of one measure, ascending; nothing where a window had at most one distinct value, so that everybody scores 3. Written as
/// the exact decimals of doubles.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "Option<Vec<String>>", into = "Option<Vec<String>>")]
pub struct MeasureCuts(Option<Vec<f64>>);

impl MeasureCuts {
    /// From texts, each read as the nearest double.
    ///
    /// # Errors
    /// No number, more than 8, or an order that is not strictly ascending.
    pub fn parse<S: AsRef<str>>(texts: &[S]) -> Result<Self> {
        let read = |text: &S| {
            let text = text.as_ref().trim();
            let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
            number.ok_or_else(|| Error::usage(format!("{text:?} is no cut point")).help("write numbers, such as 30,90,180,365"))
        };
        let cuts = texts.iter().map(read).collect::<Result<Vec<f64>>>()?;
        if cuts.len() > MOST {
            let what = format!("{} cut points make {} scores, and a score is one digit", cuts.len(), cuts.len() + 1);
            return Err(Error::usage(what).help("give at most 8"));
        }
        if let Some(pair) = cuts.windows(2).find(|pair| pair[0] >= pair[1]) {
            let what = format!("cut points rise, and {} is not above {}", Self::exact(pair[1]), Self::exact(pair[0]));
            return Err(Error::usage(what).help("write each once, the smallest first"));
        }
        Ok(MeasureCuts(Some(cuts)))
    }

    /// Of a window's own edges, in any number: those between the first and the last.
    pub(crate) fn inner(edges: Option<&[f64]>) -> Self {
        MeasureCuts(edges.map(|edges| edges[1.min(edges.len())..edges.len().saturating_sub(1).max(1.min(edges.len()))].to_vec()))
    }

    /// The cut points, ascending; nothing where everybody scores 3.
    pub fn values(&self) -> Option<&[f64]> {
        self.0.as_deref()
    }

    /// The exact decimal digits of a double.
    pub(crate) fn exact(number: f64) -> String {
        let text = format!("{number:.1074}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    /// The best score that they can give.
    pub fn best_score(&self) -> u32 {
        self.0.as_ref().map_or(3, |cuts| cuts.len() as u32 + 1)
    }
}

impl From<MeasureCuts> for Option<Vec<String>> {
    fn from(cuts: MeasureCuts) -> Self {
        cuts.0.map(|cuts| cuts.into_iter().map(MeasureCuts::exact).collect())
    }
}

impl TryFrom<Option<Vec<String>>> for MeasureCuts {
    type Error = Error;

    fn try_from(texts: Option<Vec<String>>) -> Result<Self> {
        texts.map_or(Ok(MeasureCuts(None)), |texts| MeasureCuts::parse(&texts))
    }
}

impl fmt::Display for MeasureCuts {
    /// With commas between them, `30,90`, in as many digits as tell each double apart; `none` where everybody scores 3.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("none"),
            Some(cuts) => f.write_str(&cuts.iter().map(f64::to_string).collect::<Vec<_>>().join(",")),
        }
    }
}

/// The measures that are scored by given cut points; the others are scored by the window's own quantiles.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CutPoints {
    /// Of recency in days.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "said")]
    pub recency: Option<MeasureCuts>,
    /// Of orders.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "said")]
    pub frequency: Option<MeasureCuts>,
    /// Of money per order.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "said")]
    pub monetary: Option<MeasureCuts>,
    /// Where they come from, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// A measure that is there, also with null.
fn said<'de, D: serde::Deserializer<'de>>(from: D) -> std::result::Result<Option<MeasureCuts>, D::Error> {
    MeasureCuts::deserialize(from).map(Some)
}

impl CutPoints {
    /// The names of the measures, as options and files have them.
    pub const MEASURES: [&'static str; 3] = ["recency", "frequency", "monetary"];

    /// Whether none is given.
    pub fn is_empty(&self) -> bool {
        self.given().next().is_none()
    }

    /// The measures with given ones, by name.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, &MeasureCuts)> {
        let all = [&self.recency, &self.frequency, &self.monetary];
        Self::MEASURES.into_iter().zip(all).filter_map(|(name, given)| Some((name, given.as_ref()?)))
    }

    /// Those of a measure, by its name.
    pub fn measure(&mut self, name: &str) -> Option<&mut Option<MeasureCuts>> {
        match name {
            "recency" => Some(&mut self.recency),
            "frequency" => Some(&mut self.frequency),
            "monetary" => Some(&mut self.monetary),
            _ => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn cut_points_are_read_and_written_exactly() {
        let cuts = MeasureCuts::parse(&["0.1", " 2", "1e3"]).unwrap();
        assert_eq!(cuts.to_string(), "0.1,2,1000");
        let json = serde_json::to_string(&cuts).unwrap();
        assert!(json.starts_with("[\"0.1000000000000000055511151231257827021181583404541015625\",\"2\""), "{json}");
        assert_eq!(serde_json::from_str::<MeasureCuts>(&json).unwrap(), cuts);
        assert_eq!(serde_json::to_string(&MeasureCuts(None)).unwrap(), "null");
        let none: CutPoints = serde_json::from_str(r#"{"recency": null, "monetary": []}"#).unwrap();
        assert_eq!((none.recency, none.frequency, none.monetary.unwrap().best_score()), (Some(MeasureCuts(None)), None, 1));
        for wrong in [&["a"][..], &["1", "1"], &["2", "1"], &["inf"], &["NaN"], &[""], &["1", "2", "3", "4", "5", "6", "7", "8", "9"]] {
            MeasureCuts::parse(wrong).unwrap_err();
        }
        assert!(serde_json::from_str::<CutPoints>(r#"{"spend": ["1"]}"#).is_err());
    }

    #[test]
    fn inner_edges_leave_out_the_ends() {
        let inner = |edges: &[f64]| MeasureCuts::inner(Some(edges)).0.unwrap();
        assert_eq!(inner(&[1.0, 2.0, 3.0, 4.0]), [2.0, 3.0]);
        assert!(inner(&[1.0, 2.0]).is_empty() && inner(&[1.0]).is_empty() && inner(&[]).is_empty());
        assert_eq!(MeasureCuts::inner(None), MeasureCuts(None));
    }
}

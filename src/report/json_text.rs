//! Answers as JSON. Amounts, averages and percentages are numbers with all of their decimals, `12.50`, or texts, `"12.50"`.
//!
//! A number's text is exact. Readers that make binary floats of numbers keep 15 digits: amounts below 10 trillion in cents. For others
//! there are the texts.

use crate::base::error::{Error, Result};
use crate::base::money::as_json_numbers;
use serde::{Deserialize, Serialize};

/// How amounts, averages and percentages are written as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum JsonNumbers {
    /// As numbers, `12.50`.
    #[default]
    Number,
    /// As texts, `"12.50"`.
    Text,
}

/// JSON, indented, with a newline at the end.
///
/// # Errors
/// When `answers` has no JSON form; those of this crate have one.
pub fn to_json(answers: &impl Serialize, numbers: JsonNumbers) -> Result<String> {
    let text = || serde_json::to_string_pretty(answers);
    let json = match numbers {
        JsonNumbers::Number => as_json_numbers(text),
        JsonNumbers::Text => text(),
    };
    Ok(json.map_err(|e| Error::internal("answers have no JSON form").cause(e))? + "\n")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::money::{Fixed2, Total};

    #[test]
    fn numbers_keep_their_decimals_and_both_forms_are_read_back_exactly() {
        let texts = ["12.50", "0.00", "-0.05", "12345678901234567890.12"];
        let amounts: Vec<Fixed2> = texts.iter().map(|text| text.parse().unwrap()).collect();
        let total = "-12.000000000000000001".parse::<Total>().unwrap();
        for numbers in [JsonNumbers::Number, JsonNumbers::Text] {
            let json = to_json(&(&amounts, total), numbers).unwrap();
            let quote = if numbers == JsonNumbers::Text { "\"" } else { "" };
            for text in texts.into_iter().chain(["-12.000000000000000001"]) {
                assert!(json.contains(&format!("  {quote}{text}{quote}")), "{json}");
            }
            assert_eq!(serde_json::from_str::<(Vec<Fixed2>, Total)>(&json).unwrap(), (amounts.clone(), total));
            assert_eq!(serde_json::from_reader::<_, (Vec<Fixed2>, Total)>(json.as_bytes()).unwrap(), (amounts.clone(), total));
        }
        assert_eq!(serde_json::to_string(&amounts[0]).unwrap(), "\"12.50\"");
        assert_eq!(serde_json::from_value::<Fixed2>(serde_json::json!(12.5)).unwrap(), amounts[0]);
        for wrong in ["12.505", "\"a\"", "null", "1e2"] {
            serde_json::from_str::<Fixed2>(wrong).unwrap_err();
        }
    }
}

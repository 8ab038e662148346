//! What can be said to `lensflow generate`.

use clap::{Args, ValueEnum};
use lensflow::error::Result;
use lensflow::source::files::Format;
use lensflow::synthetic::{IdStyle, Scenario, Skew, Synthetic};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Generate {
    /// How many customers; 10K, 10M and 1G are understood
    #[arg(long, value_name = "N", value_parser = count)]
    customers: u64,

    /// How they behave: baseline, high-churn, product-recall, heavy-promotion, product-launch, seasonal or stable
    #[arg(long, default_value = "baseline")]
    scenario: String,

    /// Other rows for every other seed
    #[arg(long, default_value_t = 42)]
    seed: u64,

    /// The first month
    #[arg(long, value_name = "YYYY-MM", default_value = "2023-01")]
    from: String,

    /// The last month, inclusive
    #[arg(long, value_name = "YYYY-MM", default_value = "2023-12")]
    to: String,

    /// What the rows are: transactions are the line items of the same customers' orders, with the same sums
    #[arg(long = "as", value_enum, default_value_t = RowsArg::Periods, value_name = "ROWS")]
    pub(crate) rows: RowsArg,

    /// How rows fall on customers; hot gives half of all rows to one
    #[arg(long, value_enum, default_value_t = SkewArg::Uniform)]
    skew: SkewArg,

    /// What ids look like
    #[arg(long, value_enum, default_value_t = IdsArg::Sequential)]
    ids: IdsArg,

    /// The share of period rows without last_transaction_ts, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    null_timestamps: f64,

    /// The file to write, .parquet, .csv, .jsonl or .arrow; CSV and JSONL also .gz or .zst; - is CSV on stdout
    #[arg(long, short, value_name = "PATH")]
    pub(crate) output: PathBuf,

    /// The format, where the file's name does not tell
    #[arg(long)]
    format: Option<String>,

    /// Threads; one per core by default
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RowsArg {
    /// What each customer did in each month
    Periods,
    /// A row for each line of an order
    Transactions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SkewArg {
    Uniform,
    Zipf,
    Hot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum IdsArg {
    /// C-000000042
    Sequential,
    /// 67b4ec1f-cb69-4545-ad7f-049a5e3defad
    Uuid,
    /// user42@example2.com
    Email,
    /// 客户-185-é, é-42, клиент-43: six scripts, some short, most long
    Unicode,
}

impl Generate {
    pub(crate) fn synthetic(&self) -> Result<Synthetic> {
        Ok(Synthetic {
            customers: self.customers,
            scenario: self.scenario.parse::<Scenario>()?,
            seed: self.seed,
            from: self.from.clone(),
            to: self.to.clone(),
            skew: match self.skew {
                SkewArg::Uniform => Skew::Uniform,
                SkewArg::Zipf => Skew::Zipf,
                SkewArg::Hot => Skew::Hot,
            },
            ids: match self.ids {
                IdsArg::Sequential => IdStyle::Sequential,
                IdsArg::Uuid => IdStyle::Uuid,
                IdsArg::Email => IdStyle::Email,
                IdsArg::Unicode => IdStyle::Unicode,
            },
            null_timestamps: self.null_timestamps,
        })
    }

    pub(crate) fn format(&self) -> Result<Option<Format>> {
        self.format.as_deref().map(str::parse).transpose()
    }
}

/// Reads `1500`, `1_500`, `10K`, `10M`, `1G`.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    let plain: String = text.chars().filter(|c| !matches!(c, '_' | ',')).collect();
    let (digits, factor) = match plain.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (&plain[..at], 1_000),
        Some((at, 'm' | 'M')) => (&plain[..at], 1_000_000),
        Some((at, 'g' | 'G' | 'b' | 'B')) => (&plain[..at], 1_000_000_000),
        _ => (plain.as_str(), 1),
    };
    let number: Option<u64> = digits.parse().ok();
    number.and_then(|n| n.checked_mul(factor)).ok_or_else(|| "a whole number such as 1500, 10K, 10M or 1G is expected".to_owned())
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn counts() {
        assert_eq!(count("10M"), Ok(10_000_000));
        assert_eq!(count("1_500"), Ok(1_500));
        assert!(count("ten").is_err() && count("").is_err() && count("99999999999G").is_err() && count("K").is_err());
    }
}

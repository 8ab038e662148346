//! A lens of your own: how much of each window's revenue comes from customers who bought only once?
//!
//! A lens says what to learn from a block of customers and how two partial results add up; the engine runs it beside Lens 1 and Lens 2,
//! on as many threads as it likes. Where partials are to be merged on another machine, the lens implements `PortableLens`, too.
//!
//! Run with `cargo run --release --example custom_lens`.

use lensflow::finalize::Block;
use lensflow::model::{Granularity, Window, Windows};
use lensflow::money::{Fixed2, Money, Percent};
use lensflow::{Lens, Merge, Pipeline, Result};

/// Revenue in cents, per window: of one-time buyers, and of all customers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Revenue {
    one_time: i64,
    all: i64,
}

impl Merge for Revenue {
    fn merge(&mut self, other: Revenue) {
        self.one_time = self.one_time.saturating_add(other.one_time);
        self.all = self.all.saturating_add(other.all);
    }
}

/// The answer for a window.
#[derive(Debug)]
struct OneTimeRevenue {
    window: String,
    revenue: Money,
    share: Percent,
}

struct OneTimeBuyers;

impl Lens for OneTimeBuyers {
    type Partial = Vec<Revenue>;
    type Answer = Vec<OneTimeRevenue>;

    fn empty(&self, windows: &[Window]) -> Vec<Revenue> {
        vec![Revenue::default(); windows.len()]
    }

    fn observe(&self, partial: &mut Vec<Revenue>, block: &Block) {
        for (&window, (&frequency, &spend)) in block.window.iter().zip(block.frequency.iter().zip(&block.total_spend)) {
            partial[window as usize].merge(Revenue { one_time: if frequency == 1 { spend } else { 0 }, all: spend });
        }
    }

    fn finish(&self, windows: &[Window], partial: Vec<Revenue>) -> Vec<OneTimeRevenue> {
        let answer = |(window, sum): (&Window, Revenue)| OneTimeRevenue {
            window: window.name.clone(),
            revenue: Fixed2::from_hundredths(sum.one_time.into()),
            share: Fixed2::percent(sum.one_time.into(), sum.all.into()),
        };
        windows.iter().zip(partial).map(answer).collect()
    }
}

fn main() -> Result<()> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/cdnow_periods.csv");
    let mut pipeline = Pipeline::builder().windows(Windows::Every(Granularity::Quarter)).lens(OneTimeBuyers).build()?;
    pipeline.run_files(&[path])?;
    let audit = pipeline.finish()?;

    let ((), answers) = audit.custom;
    for (answer, window) in answers.iter().zip(&audit.report.windows) {
        let buyers = window.lens1.one_time_buyer_pct;
        println!("{}: one-time buyers are {buyers} % of customers and {} ({} %) of revenue", answer.window, answer.revenue, answer.share);
    }
    Ok(())
}

//! Scenarios of the synthetic generator: how a made-up customer base behaves, and what happens to it.

use crate::base::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// How a customer base behaves, month by month.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The chance that a customer leaves within a month; 0 to 1.
    pub monthly_churn: f64,
    /// Mean orders of an active customer in a month (Poisson; at least one in the month of acquisition).
    pub orders_per_month: f64,
    /// The mean of the logarithm of an order's price.
    pub price_log_mean: f64,
    /// The standard deviation of the logarithm of an order's price.
    pub price_log_sd: f64,
    /// Changes in single months, on top.
    pub event: Option<Event>,
}

/// Something that happens to a customer base. Months count from 0 at the beginning of the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// In `month`, churn is `churn`; in that and the next two months, orders are `orders` times as many.
    Recall {
        /// When.
        month: u32,
        /// The chance of leaving in that month.
        churn: f64,
        /// Orders, times this.
        orders: f64,
    },
    /// In `month`, orders are `uplift` times as many at `price` times the price.
    Promotion {
        /// When.
        month: u32,
        /// Orders, times this.
        uplift: f64,
        /// Price, times this.
        price: f64,
    },
    /// From `month` on, orders grow over `ramp` months to `uplift` times as many.
    Launch {
        /// When.
        month: u32,
        /// Months until the full effect.
        ramp: u32,
        /// Orders, times this in the end.
        uplift: f64,
    },
    /// Orders swing by ±`amplitude` over twelve months, highest in month 11.
    Season {
        /// 0 to 1.
        amplitude: f64,
    },
}

impl Scenario {
    /// The names that [`Scenario::from_str`] knows.
    pub const NAMES: [&'static str; 7] =
        ["baseline", "high-churn", "product-recall", "heavy-promotion", "product-launch", "seasonal", "stable"];

    pub(super) fn baseline() -> Self {
        Scenario { monthly_churn: 0.08, orders_per_month: 0.71, price_log_mean: 3.4, price_log_sd: 0.8, event: None }
    }

    pub(super) fn churn(&self, month: u32) -> f64 {
        match self.event {
            Some(Event::Recall { month: m, churn, .. }) if m == month => churn,
            _ => self.monthly_churn,
        }
    }

    pub(super) fn orders(&self, month: u32) -> f64 {
        self.orders_per_month
            * match self.event {
                Some(Event::Recall { month: m, orders, .. }) if (m..m.saturating_add(3)).contains(&month) => orders,
                Some(Event::Promotion { month: m, uplift, .. }) if m == month => uplift,
                Some(Event::Launch { month: m, ramp, uplift }) if month >= m => {
                    1.0 + (uplift - 1.0) * (f64::from(month - m + 1) / f64::from(ramp.max(1))).min(1.0)
                }
                Some(Event::Season { amplitude }) => 1.0 + amplitude * (f64::from(month % 12 + 1) / 12.0 * std::f64::consts::TAU).cos(),
                _ => 1.0,
            }
    }

    pub(super) fn price(&self, month: u32) -> f64 {
        match self.event {
            Some(Event::Promotion { month: m, price, .. }) if m == month => price,
            _ => 1.0,
        }
    }
}

impl FromStr for Scenario {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let base = Scenario::baseline();
        match name {
            "baseline" => Ok(base),
            "high-churn" => Ok(Scenario { monthly_churn: 0.25, ..base }),
            "product-recall" => Ok(Scenario { event: Some(Event::Recall { month: 6, churn: 0.35, orders: 0.4 }), ..base }),
            "heavy-promotion" => Ok(Scenario { event: Some(Event::Promotion { month: 10, uplift: 3.0, price: 0.8 }), ..base }),
            "product-launch" => Ok(Scenario { event: Some(Event::Launch { month: 5, ramp: 4, uplift: 1.8 }), ..base }),
            "seasonal" => Ok(Scenario { event: Some(Event::Season { amplitude: 0.6 }), ..base }),
            "stable" => Ok(Scenario { monthly_churn: 0.02, ..base }),
            _ => Err(Error::usage(format!("there is no scenario {name:?}")).help(format!("one of {}", Scenario::NAMES.join(", ")))),
        }
    }
}

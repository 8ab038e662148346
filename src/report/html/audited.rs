//! The report that a page is about: which window and which pair are looked at closely, and the numbers that follow from a window's.
//!
//! The window in focus is the newest one that has customers. All windows are in the small charts and in tables; the size of a page
//! would otherwise grow with each of them.

use super::number_style::NumberStyle;
use super::report_json::ReportJson;
use crate::base::money::Fixed2;
use serde_json::Value;

/// A report and what is looked at in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Audited<'a> {
    pub(super) report: &'a Value,
    pub(super) style: NumberStyle,
    /// The most windows of a table, and of a chart that tells each number where the pointer rests.
    pub(super) listed: usize,
    focus: usize,
}

impl<'a> Audited<'a> {
    pub(super) fn new(report: &'a Value, style: NumberStyle, listed: usize) -> Self {
        let windows = report["windows"].items();
        let newest = windows.iter().rposition(|window| window["lens1"]["total_customers"].count() > 0);
        Audited { report, style, listed, focus: newest.unwrap_or(windows.len().saturating_sub(1)) }
    }

    pub(super) fn windows(&self) -> &'a [Value] {
        self.report["windows"].items()
    }

    pub(super) fn pairs(&self) -> &'a [Value] {
        self.report["comparisons"].items()
    }

    /// The cut points that scores were given by, if they were.
    pub(super) fn cut_points(&self) -> &'a Value {
        &self.report["cut_points"]
    }

    /// The window in focus.
    pub(super) fn window(&self) -> Option<&'a Value> {
        self.windows().get(self.focus)
    }

    /// The window before it.
    pub(super) fn before(&self) -> Option<&'a Value> {
        self.focus.checked_sub(1).and_then(|before| self.windows().get(before))
    }

    /// The pair of both.
    pub(super) fn pair(&self) -> Option<&'a Value> {
        let (from, to) = self.before().zip(self.window())?;
        let pair = self.pairs().get(self.focus.checked_sub(1)?)?;
        (pair["from"] == from["name"] && pair["to"] == to["name"]).then_some(pair)
    }
}

/// Revenue per order.
pub(super) fn order_value(window: &Value) -> Fixed2 {
    let lens1 = &window["lens1"];
    per(lens1["total_revenue"].fixed(), lens1["total_orders"].count())
}

/// An amount divided among so many.
pub(super) fn per(amount: Fixed2, count: i128) -> Fixed2 {
    Fixed2::quotient(amount.hundredths(), count.saturating_mul(100))
}

/// A count in the form of numbers with decimals.
pub(super) fn whole(count: i128) -> Fixed2 {
    Fixed2::from_hundredths(count.saturating_mul(100))
}

/// The change from one number to another in percent; nothing from zero.
pub(super) fn change(from: Fixed2, to: Fixed2) -> Option<Fixed2> {
    let (from, to) = (from.hundredths(), to.hundredths());
    (from > 0).then(|| Fixed2::percent(to.saturating_sub(from), from))
}

/// The change of an exact quotient of two numbers of Lens 1, in percent; nothing from zero, or where one side has none.
pub(super) fn ratio_change(from: &Value, to: &Value, over: &str, under: &str) -> Option<Fixed2> {
    let [from, to] = [from, to].map(|window| [over, under].map(|key| window["lens1"][key].fixed().hundredths()));
    let is_quotient = |[over, under]: [i128; 2]| over >= 0 && under > 0;
    (is_quotient(from) && is_quotient(to) && from[0] > 0).then(|| Fixed2::change_of_ratios(from.into(), to.into()))
}

/// Whether the data cover the window in part only.
pub(super) fn is_partial(window: &Value) -> bool {
    window["covered_from"].is_there() || window["covered_until"].is_there()
}

/// A moment of the JSON without its clock where that says nothing.
pub(super) fn day(moment: &Value) -> String {
    let text = moment.name();
    text.strip_suffix("T00:00:00").map_or(text.clone(), str::to_owned)
}

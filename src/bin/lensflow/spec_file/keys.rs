//! The grammar's names: sections and their keys, and the nearest known name to one that is not. What a key takes is for
//! [`resolve`](super::resolve); `pipelines/README.md` has all of them in a table, and a test here holds it to that.

/// The sections, in the order in which the grammar has them. `[source.synthetic]` is also what `synthetic = { … }` in `[source]` says.
pub(crate) const SECTIONS: [Section; 10] = [
    Section {
        name: "source",
        keys: &["inputs", "from", "format", "on_bad_row", "synthetic", "follow", "glob", "poll", "finished", "done", "quarantine"],
    },
    Section { name: "source.synthetic", keys: &["customers", "scenario", "seed", "from", "to", "skew", "ids", "null_timestamps"] },
    Section {
        name: "transactions",
        keys: &["one_row_per_order", "refunds", "anonymous", "duplicates", "timezone", "id_format", "date_format", "encoding"],
    },
    Section {
        name: "columns",
        keys: &[
            "customer_id",
            "period_start",
            "period_end",
            "total_orders",
            "total_spend",
            "last_transaction_ts",
            "order_id",
            "event_ts",
            "quantity",
            "unit_price",
            "line_total",
            "line_margin",
            "unit_margin",
            "unit_cost",
            "product_id",
        ],
    },
    Section {
        name: "state",
        keys: &["path", "every", "allow_duplicate", "merge", "commit", "commit_rows", "checkpoint", "checkpoint_every"],
    },
    Section { name: "windows", keys: &["every", "list"] },
    Section { name: "limits", keys: &["workers", "memory_limit", "spill_dir", "parallel", "parallel_threshold", "batch_rows"] },
    Section { name: "report", keys: &["out", "percentiles", "migration_out", "rejects", "partial_out", "refresh"] },
    Section { name: "rfm", keys: &["out", "bins", "sorted"] },
    Section { name: "serve", keys: &["metrics"] },
];

/// Keys of which one is said: where a later layer says another, it takes the place of what an earlier one said.
pub(crate) const ALTERNATIVES: [&[(&str, &str)]; 2] =
    [&[("source", "inputs"), ("source", "synthetic"), ("source", "follow")], &[("windows", "every"), ("windows", "list")]];

/// What environment variables of specs begin with.
const PREFIX: &str = "LENSFLOW_";
/// Below this likeness, two names have nothing to do with each other.
const ALIKE: f64 = 0.8;

/// A section with its keys.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) keys: &'static [&'static str],
}

impl Section {
    /// The section of that name.
    pub(crate) fn of(name: &str) -> Option<&'static Section> {
        SECTIONS.iter().find(|section| section.name == name)
    }

    /// The key of that name.
    pub(crate) fn key(&self, name: &str) -> Option<&'static str> {
        self.keys.iter().copied().find(|key| *key == name)
    }

    /// The environment variable of a key, or with none, what the section's variables begin with.
    pub(crate) fn variable(&self, key: &str) -> String {
        format!("{PREFIX}{}_{key}", self.name.replace('.', "_")).to_uppercase()
    }

    /// The section that a variable belongs to, with the key in lower case; none for variables that are none of a spec's.
    pub(crate) fn of_variable(variable: &str) -> Option<(&'static Section, String)> {
        let key = |section: &Section| Some(variable.strip_prefix(&section.variable(""))?.to_lowercase());
        let found = SECTIONS.iter().filter_map(|section| Some((section, key(section)?)));
        // What is left is the shorter, the more the section's name says.
        found.min_by_key(|(_, key)| key.len())
    }

    /// What to say about a key that the section has not; `say` is how a key is written where it was.
    pub(crate) fn advice(&self, key: &str, say: impl Fn(&Section, &str) -> String) -> String {
        if let Some(known) = nearest(key, self.keys.iter().copied()) {
            return format!("did you mean {}?", say(self, known));
        }
        match SECTIONS.iter().find(|other| other.key(key).is_some()) {
            Some(other) => format!("it belongs to [{}]", other.name),
            None => format!("its keys are {}", self.keys.join(", ")),
        }
    }
}

/// What to say about a section that is not there.
pub(crate) fn section_advice(name: &str) -> String {
    let names = || SECTIONS.iter().map(|section| section.name).filter(|name| !name.contains('.'));
    match nearest(name, names()) {
        Some(known) => format!("did you mean [{known}]?"),
        None => format!("the sections are {}", names().map(|name| format!("[{name}]")).collect::<Vec<_>>().join(", ")),
    }
}

/// The known name that is most like another, if any is.
pub(crate) fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let likeness = |known: &str| strsim::jaro_winkler(&name.to_lowercase(), known);
    known
        .map(|known| (likeness(known), known))
        .filter(|(like, _)| *like >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use lensflow::model::{Column, TransactionColumn};

    #[test]
    fn every_key_is_in_the_grammar_and_every_line_of_it_is_a_key() {
        let page = include_str!("../../../../pipelines/README.md");
        let mut section = None;
        let mut described = Vec::new();
        for line in page.lines() {
            if let Some(name) = line.strip_prefix("### `[").and_then(|rest| rest.split(']').next()) {
                section = Some(name);
            } else if line.starts_with('#') {
                section = None;
            } else if let (Some(section), Some(cells)) = (section, line.strip_prefix("| `")) {
                described.push((section, cells.split('`').next().unwrap()));
            }
        }
        let known: Vec<_> = SECTIONS.iter().flat_map(|section| section.keys.iter().map(|key| (section.name, *key))).collect();
        assert_eq!(described, known);
    }

    #[test]
    fn columns_are_those_of_the_engine() {
        let of_lines = TransactionColumn::ALL.map(TransactionColumn::name).into_iter().filter(|name| Column::from_name(name).is_none());
        let all: Vec<_> = Column::ALL.map(Column::name).into_iter().chain(of_lines).collect();
        assert_eq!(Section::of("columns").unwrap().keys, all);
    }

    #[test]
    fn alternatives_are_keys() {
        let known = |(section, key): &(&str, &str)| Section::of(section).is_some_and(|section| section.key(key).is_some());
        assert!(ALTERNATIVES.concat().iter().all(known));
    }

    #[test]
    fn variables_have_a_section() {
        let of = |variable| Section::of_variable(variable).map(|(section, key)| (section.name, key));
        assert_eq!(of("LENSFLOW_LIMITS_MEMORY_LIMIT"), Some(("limits", "memory_limit".to_owned())));
        assert_eq!(of("LENSFLOW_SOURCE_SYNTHETIC"), Some(("source", "synthetic".to_owned())));
        assert_eq!(of("LENSFLOW_SOURCE_SYNTHETIC_IDS"), Some(("source.synthetic", "ids".to_owned())));
        assert_eq!(of("LENSFLOW_KILLS"), None);
        let variable = Section::of("source.synthetic").unwrap().variable("ids");
        assert_eq!(variable, "LENSFLOW_SOURCE_SYNTHETIC_IDS");
    }

    #[test]
    fn what_is_near_is_named() {
        let limits = Section::of("limits").unwrap();
        let advice = |key| limits.advice(key, |_, key| key.to_owned());
        assert_eq!(advice("memroy_limit"), "did you mean memory_limit?");
        assert_eq!(advice("Workers"), "did you mean workers?");
        assert_eq!(advice("refresh"), "it belongs to [report]");
        assert_eq!(advice("zzz"), "its keys are workers, memory_limit, spill_dir, parallel, parallel_threshold, batch_rows");
        assert_eq!(section_advice("limit"), "did you mean [limits]?");
        assert!(section_advice("zzz").starts_with("the sections are [source], [transactions], [columns], "));
    }
}

//! Notes: what was noticed about an input and is no error, counted. Every note is shown on the terminal and stands in the report's warnings.
//!
//! Readers and stages share [`Notes`] and count into it from any thread; a [`Topic`] says what was noticed, and holds the sentence. Like all
//! answers, the texts are a function of the rows and the options alone: counts are sums, and the first place is the least.

use crate::base::money::{Amount, Total};
use crate::base::text::counted;
use crate::base::threads::lock;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Notes of one topic that are shown one by one; more are counted together.
const SHOWN: usize = 5;

/// What was noticed. The order is the one in which notes are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Topic {
    /// What an input's columns told about its rows; the subject is a sentence.
    Recognized,
    /// An input of lines has no column that says what they are worth; the subject is the input and what is there.
    NoWorth,
    /// No key of the first lines is the customer's; the subject is the input and its keys.
    NoCustomerKey,
    /// A column was taken whose name differs by case, blanks, underscores or hyphens; the subject says which, for what.
    NameAlike,
}

impl Topic {
    fn sentence(self, subject: &str, _noted: &Noted) -> String {
        match self {
            Topic::Recognized | Topic::NoWorth | Topic::NoCustomerKey | Topic::NameAlike => subject.to_owned(),
        }
    }

    /// More notes of the topic than are shown one by one.
    fn others(self, number: usize) -> String {
        match self {
            Topic::Recognized => format!("{} are told otherwise", counted(number, "more input", "more inputs")),
            Topic::NoWorth => format!("the same in {}", counted(number, "more input", "more inputs")),
            Topic::NoCustomerKey => format!("the same in {}", counted(number, "more input", "more inputs")),
            Topic::NameAlike => format!("and {}", counted(number, "more column", "more columns")),
        }
    }
}

/// The count of a note.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Noted {
    /// How often.
    count: u64,
    /// The sum of the amounts that it is about.
    amount: Total,
    /// The first input and row, where rows were counted.
    first: Option<(String, u64)>,
}

/// Notes about the inputs of a run. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Notes(Arc<Mutex<BTreeMap<(Topic, String), Noted>>>);

impl Notes {
    /// Notes something about a subject once, however often it is said.
    pub(crate) fn say(&self, topic: Topic, subject: impl Into<String>) {
        lock(&self.0).entry((topic, subject.into())).or_default().count = 1;
    }

    /// Notes how the meaning of an input's columns was told, if it was.
    pub(crate) fn told(&self, told: Option<&String>) {
        told.into_iter().for_each(|told| self.say(Topic::Recognized, told));
    }

    /// Counts a row, at a place, of so much worth.
    #[allow(dead_code)]
    pub(crate) fn count(&self, topic: Topic, subject: &str, (input, row): (&str, u64), amount: Amount) {
        let mut all = lock(&self.0);
        let noted = all.entry((topic, subject.to_owned())).or_default();
        noted.count += 1;
        noted.amount.add(amount);
        if noted.first.as_ref().is_none_or(|(known, at)| (input, row) < (known, *at)) {
            noted.first = Some((input.to_owned(), row));
        }
    }

    /// All notes of several inputs.
    pub(crate) fn all(several: &[Notes]) -> Notes {
        let all = Notes::default();
        several.iter().for_each(|notes| all.absorb(notes));
        all
    }

    /// Takes in other notes.
    fn absorb(&self, other: &Notes) {
        let other = lock(&other.0).clone();
        let mut all = lock(&self.0);
        for (key, more) in other {
            let noted = all.entry(key).or_default();
            noted.count += more.count;
            crate::base::merge::Merge::merge(&mut noted.amount, more.amount);
            noted.first = noted.first.take().into_iter().chain(more.first).min();
        }
    }

    /// The notes as sentences, by topic and subject.
    pub fn texts(&self) -> Vec<String> {
        let all = lock(&self.0);
        let mut texts = Vec::new();
        let by_topic: Vec<_> = all.iter().collect();
        for topic in by_topic.chunk_by(|a, b| a.0.0 == b.0.0) {
            texts.extend(topic.iter().take(SHOWN).map(|((topic, subject), noted)| topic.sentence(subject, noted)));
            if let Some(more) = topic.len().checked_sub(SHOWN + 1) {
                texts.push(topic[0].0.0.others(more + 1));
            }
        }
        texts
    }
}

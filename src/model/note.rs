//! Notes: what was noticed about an input and is no error, counted. Every note is shown on the terminal and stands in the report's warnings.
//!
//! Readers and stages share [`Notes`] and count into it from any thread; a [`Topic`] says what was noticed, and holds the sentence. Like all
//! answers, the texts are a function of the rows and the options alone: counts are sums, and the first place is the least.

pub use super::note_topic::Topic;
use crate::base::merge::Merge;
use crate::base::money::Total;
use crate::base::threads::lock;
use crate::model::read_options::Told;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Between the parts of a note's subject, such as a column and a value of it.
pub(crate) const OF: char = '\u{1f}';
/// Notes of one topic that are shown one by one; more are counted together.
const SHOWN: usize = 5;
/// The count of a note.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Noted {
    /// How often.
    pub(super) count: u64,
    /// The sum of the amounts that it is about.
    pub(super) amount: Total,
    /// The first input and row, where rows were counted.
    pub(super) first: Option<(String, u64)>,
    /// The greatest of what was measured.
    pub(super) most: u64,
}

/// Notes as they are kept in a record: topic, subject and count of each, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct KeptNotes(Vec<(Topic, String, Noted)>);

impl KeptNotes {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of others, too.
    pub(crate) fn add(&mut self, more: &KeptNotes) {
        *self = Notes::all(&[self.notes(), more.notes()]).kept();
    }

    /// Those of other parts of the same inputs, too: what is said once of all of them is not counted again.
    pub(crate) fn join(&mut self, more: &KeptNotes) {
        let said = |notes: &KeptNotes| notes.0.iter().filter(|note| note.0.is_said()).cloned().collect::<Vec<_>>();
        let (own, others) = (said(self), said(more));
        self.add(more);
        for (topic, subject, noted) in &mut self.0 {
            let both = own.iter().chain(&others).filter(|note| note.0 == *topic && note.1 == *subject);
            noted.count = both.map(|note| note.2.count).max().unwrap_or(noted.count);
        }
    }

    /// As notes of a run.
    pub(crate) fn notes(&self) -> Notes {
        let all = self.0.iter().map(|(topic, subject, noted)| ((*topic, subject.clone()), noted.clone())).collect();
        Notes(Arc::new(Mutex::new(all)))
    }
}

/// Notes about the inputs of a run. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Notes(Arc<Mutex<BTreeMap<(Topic, String), Noted>>>);

impl Notes {
    /// Notes something about a subject once, however often it is said.
    pub(crate) fn say(&self, topic: Topic, subject: impl Into<String>) {
        lock(&self.0).entry((topic, subject.into())).or_default().count = 1;
    }

    /// Adds a count.
    pub(crate) fn add(&self, topic: Topic, subject: &str, count: u64) {
        if count > 0 {
            lock(&self.0).entry((topic, subject.to_owned())).or_default().count += count;
        }
    }

    /// Adds a count of things that are worth so much.
    pub(crate) fn add_amount(&self, topic: Topic, subject: &str, count: u64, amount: Total) {
        if count > 0 {
            let mut all = lock(&self.0);
            let noted = all.entry((topic, subject.to_owned())).or_default();
            noted.count += count;
            noted.amount.merge(amount);
        }
    }

    /// Counts so many more, or none so far.
    pub(crate) fn tally(&self, topic: Topic, subject: &str, count: u64) {
        lock(&self.0).entry((topic, subject.to_owned())).or_default().count += count;
    }

    /// Notes how the meaning of an input's columns was told, if it was.
    pub(crate) fn told(&self, told: Option<&Told>) {
        told.into_iter().for_each(|told| self.say(Topic::Recognized, &told.sentence));
    }

    /// Counts a row, at a place.
    pub(crate) fn count(&self, topic: Topic, subject: &str, (input, row): (&str, u64)) {
        let mut all = lock(&self.0);
        let noted = all.entry((topic, subject.to_owned())).or_default();
        noted.count += 1;
        if noted.first.as_ref().is_none_or(|(known, at)| (input, row) < (known, *at)) {
            noted.first = Some((input.to_owned(), row));
        }
    }

    /// The first place of a topic.
    pub(crate) fn first(&self, topic: Topic) -> Option<(String, u64)> {
        let all = lock(&self.0);
        all.iter().filter(|((of, _), _)| *of == topic).filter_map(|(_, noted)| noted.first.clone()).min()
    }

    /// The subjects of a topic, and how often.
    pub(crate) fn counts(&self, topic: Topic) -> Vec<(String, u64)> {
        let all = lock(&self.0);
        all.iter().filter(|((of, _), _)| *of == topic).map(|((_, subject), noted)| (subject.clone(), noted.count)).collect()
    }

    /// Counts so many at once, of so much worth, the greatest of them being so great; nothing where there is none.
    pub(crate) fn add_most(&self, topic: Topic, subject: &str, count: u64, amount: Total, most: u64) {
        if count > 0 {
            let mut all = lock(&self.0);
            let noted = all.entry((topic, subject.to_owned())).or_default();
            noted.count += count;
            noted.amount.merge(amount);
            noted.most = noted.most.max(most);
        }
    }

    /// Sets the counts of a topic to what they were.
    pub(crate) fn put_back(&self, topic: Topic, counts: &[(String, u64)]) {
        let mut all = lock(&self.0);
        all.retain(|(of, subject), _| *of != topic || counts.iter().any(|(known, _)| known == subject));
        for (subject, count) in counts {
            all.entry((topic, subject.clone())).or_default().count = *count;
        }
    }

    /// Forgets all of them, also for those who share them.
    pub(crate) fn forget(&self) {
        lock(&self.0).clear();
    }

    /// The notes, to be kept.
    pub(crate) fn kept(&self) -> KeptNotes {
        KeptNotes(lock(&self.0).iter().map(|((topic, subject), noted)| (*topic, subject.clone(), noted.clone())).collect())
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
            noted.amount.merge(more.amount);
            noted.most = noted.most.max(more.most);
            noted.first = noted.first.take().into_iter().chain(more.first).min();
        }
    }

    /// The notes as sentences, by topic and subject.
    pub fn texts(&self) -> Vec<String> {
        let all = lock(&self.0);
        let mut texts = Vec::new();
        // A value of a filter is told where no row has it.
        let is_told = |((topic, _), noted): &(&(Topic, String), &Noted)| *topic != Topic::ValueOfFilter || noted.count == 0;
        let by_topic: Vec<_> = all.iter().filter(is_told).collect();
        for topic in by_topic.chunk_by(|a, b| a.0.0 == b.0.0).filter(|topic| topic[0].0.0.is_shown(&all)) {
            texts.extend(topic.iter().take(SHOWN).map(|((topic, subject), noted)| topic.sentence(subject, noted)));
            if let Some(more) = topic.len().checked_sub(SHOWN + 1) {
                texts.push(topic[0].0.0.others(more + 1));
            }
        }
        texts
    }
}

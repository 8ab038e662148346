//! The one algebra of the crate: states, partials and statistics that can be put together in any order.
//!
//! A parallel worker, a saved run, yesterday's state and another machine are the same thing to the reducer: one more value to merge.
//! That only works when merging obeys these laws, which the tests check for every implementation:
//!
//! - *associative*: `(a ∘ b) ∘ c = a ∘ (b ∘ c)`
//! - *commutative*: `a ∘ b = b ∘ a`
//! - *identity*: `T::default() ∘ a = a` where `T` has a default (a [`Lens`](crate::lens::Lens) has `empty`)
//! - *total*: it cannot fail. Sums that could overflow saturate or widen, and finishing the value reports it.

/// Values that combine associatively and commutatively, without failing.
pub trait Merge {
    /// Takes `other` in.
    fn merge(&mut self, other: Self);
}

impl Merge for () {
    fn merge(&mut self, (): ()) {}
}

impl Merge for u64 {
    /// Saturating, which keeps addition of non-negative numbers associative and commutative.
    fn merge(&mut self, other: u64) {
        *self = self.saturating_add(other);
    }
}

impl<A: Merge, B: Merge> Merge for (A, B) {
    fn merge(&mut self, other: (A, B)) {
        self.0.merge(other.0);
        self.1.merge(other.1);
    }
}

impl<T: Merge> Merge for Option<T> {
    fn merge(&mut self, other: Option<T>) {
        match (self.as_mut(), other) {
            (Some(a), Some(b)) => a.merge(b),
            (None, b) => *self = b,
            (Some(_), None) => {}
        }
    }
}

/// Element by element; the shorter one counts as padded with nothing.
impl<T: Merge> Merge for Vec<T> {
    fn merge(&mut self, other: Vec<T>) {
        let mut other = other.into_iter();
        for (a, b) in self.iter_mut().zip(other.by_ref()) {
            a.merge(b);
        }
        self.extend(other);
    }
}

/// Key by key.
impl<K: Ord, V: Merge> Merge for std::collections::BTreeMap<K, V> {
    fn merge(&mut self, other: Self) {
        for (key, value) in other {
            match self.entry(key) {
                std::collections::btree_map::Entry::Occupied(mut slot) => slot.get_mut().merge(value),
                std::collections::btree_map::Entry::Vacant(slot) => {
                    slot.insert(value);
                }
            }
        }
    }
}

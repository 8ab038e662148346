//! The budget: a number of bytes that the parts of a run share. Each reserves bytes before it holds them, and spills when there are none.
//!
//! Only bookkeeping: nothing is allocated here. A [`Reservation`] gives back on drop, so it lives beside the memory that it stands for.
//! Bytes that cannot be refused (a row that is in already, a frame read back) are held by force: the budget is then exceeded, which the
//! next [`reserve`](Budget::reserve) notices and [`peak`](Budget::peak) tells. [`plan`](super::plan) says how large a budget is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Bytes to share; clones share the same ones.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Account>);

#[derive(Debug)]
struct Account {
    limit: u64,
    reserved: AtomicU64,
    peak: AtomicU64,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(limit: u64) -> Self {
        Budget(Arc::new(Account { limit, reserved: AtomicU64::new(0), peak: AtomicU64::new(0) }))
    }

    /// A budget that refuses nothing.
    pub fn unlimited() -> Self {
        Self::new(u64::MAX)
    }

    /// The bytes there are; [`u64::MAX`] for no limit.
    pub fn limit(&self) -> u64 {
        self.0.limit
    }

    /// The bytes reserved now; more than the limit where some were held by force.
    #[cfg(test)]
    pub fn reserved(&self) -> u64 {
        self.0.reserved.load(Relaxed)
    }

    /// The most bytes ever reserved at once.
    pub fn peak(&self) -> u64 {
        self.0.peak.load(Relaxed)
    }

    /// Reserves bytes, if they are there.
    #[must_use]
    pub fn reserve(&self, bytes: u64) -> Option<Reservation> {
        self.take(bytes).then(|| Reservation { budget: self.clone(), bytes })
    }

    /// Reserves bytes whether they are there or not.
    #[must_use]
    pub fn hold(&self, bytes: u64) -> Reservation {
        let mut reservation = Reservation { budget: self.clone(), bytes: 0 };
        reservation.hold(bytes);
        reservation
    }

    fn take(&self, bytes: u64) -> bool {
        let fits = |reserved: u64| reserved.checked_add(bytes).filter(|&sum| sum <= self.0.limit);
        let before = self.0.reserved.fetch_update(Relaxed, Relaxed, fits);
        before.map(|before| self.0.peak.fetch_max(before + bytes, Relaxed)).is_ok()
    }
}

/// Bytes of a budget, given back on drop.
#[derive(Debug)]
pub struct Reservation {
    budget: Budget,
    bytes: u64,
}

impl Reservation {
    /// The bytes it stands for.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Changes the bytes it stands for. False, and nothing changed, when there are not as many; fewer are always granted.
    #[must_use]
    pub fn resize(&mut self, bytes: u64) -> bool {
        let granted = bytes <= self.bytes || self.budget.take(bytes - self.bytes);
        if granted {
            self.give_back(self.bytes.saturating_sub(bytes));
            self.bytes = bytes;
        }
        granted
    }

    /// Changes the bytes it stands for, beyond the limit at need.
    pub fn hold(&mut self, bytes: u64) {
        let account = &self.budget.0;
        let more = bytes.saturating_sub(self.bytes);
        let before = account.reserved.fetch_add(more, Relaxed);
        account.peak.fetch_max(before + more, Relaxed);
        self.give_back(self.bytes.saturating_sub(bytes));
        self.bytes = bytes;
    }

    fn give_back(&self, bytes: u64) {
        self.budget.0.reserved.fetch_sub(bytes, Relaxed);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reservations_add_up() {
        let budget = Budget::new(100);
        let mut a = budget.reserve(60).unwrap();
        assert!(budget.reserve(41).is_none());
        let b = budget.reserve(40).unwrap();
        assert!(!a.resize(61) && a.resize(50) && !a.resize(61));
        assert_eq!((budget.reserved(), a.bytes()), (90, 50));
        a.hold(70);
        assert_eq!((budget.reserved(), budget.peak()), (110, 110));
        assert!(budget.reserve(0).is_none(), "an exceeded budget has nothing to give");
        assert!(a.resize(65), "fewer bytes are always granted");
        drop(a);
        let forced = budget.hold(70);
        assert_eq!((budget.reserved(), budget.peak()), (110, 110));
        drop((b, forced));
        assert_eq!((budget.reserved(), budget.peak()), (0, 110));
        assert!(Budget::unlimited().reserve(1 << 60).is_some());
    }

    /// Many threads never hold more than there is.
    #[test]
    fn threads_share() {
        let budget = Budget::new(1_000);
        std::thread::scope(|scope| {
            for size in 1..=4 {
                let budget = &budget;
                scope.spawn(move || {
                    let mut held = Vec::new();
                    for i in 0..2_000 {
                        held.extend(budget.reserve(size * 50));
                        if held.len() > i % 7 {
                            held.clear();
                        }
                    }
                });
            }
        });
        assert_eq!(budget.reserved(), 0);
        assert!(budget.peak() <= 1_000 && budget.peak() > 0, "{}", budget.peak());
    }
}

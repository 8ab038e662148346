//! Warnings that a job gives on its way, which the command shows on the terminal: here they are kept for the caller.

use std::cell::RefCell;
use std::fmt;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

thread_local! {
    static WARNED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Does work, and gives the warnings that came of it on this thread.
pub(crate) fn warned<T>(work: impl FnOnce() -> T) -> (T, Vec<String>) {
    WARNED.take();
    let done = tracing::subscriber::with_default(Kept, work);
    (done, WARNED.take())
}

/// Takes warnings, and nothing else.
struct Kept;

impl Subscriber for Kept {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Message);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Keeps the text of an event.
struct Message;

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            WARNED.with_borrow_mut(|warned| warned.push(format!("{value:?}")));
        }
    }
}

//! The one public error: what went wrong, where, and what to do about it.
//!
//! Every stage builds an [`Error`] with a [`Kind`] (which decides the exit code of the command line) and as much context as it has:
//! the input, the row in it, the stage. `Display` is the message for people; [`std::error::Error::source`] is the cause underneath.

use super::text::visible_name;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The result of every fallible function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The sort of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// The caller asked for something that makes no sense: overlapping windows, zero workers. The command line exits with 2.
    Usage,
    /// The input says something that it must not: a bad row, a truncated file, a missing column. Exit code 1.
    Data,
    /// The operating system refused a read or a write. Exit code 1.
    Io,
    /// A bug in lensflow or in a caller's own stage, such as a panic in a worker. Exit code 1.
    Internal,
    /// The operating system refused memory. Exit code 1.
    Memory,
    /// It was ended from outside, by a [`Cancel`](crate::Cancel). The command line dies of the signal that asked for it.
    Cancelled,
}

/// A stage of the pipeline, as errors, thread names and tracing spans call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Stage {
    /// Reading and decoding input.
    Source,
    /// Hashing ids and scattering rows to partitions.
    Route,
    /// Folding rows into customers' states.
    Accumulate,
    /// Turning a partition's states into RFM blocks.
    Finalize,
    /// Observing blocks.
    Lens,
    /// Merging partials and finishing answers.
    Reduce,
    /// Writing answers and rows.
    Report,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Source => "source",
            Stage::Route => "route",
            Stage::Accumulate => "accumulate",
            Stage::Finalize => "finalize",
            Stage::Lens => "lens",
            Stage::Reduce => "reduce",
            Stage::Report => "report",
        })
    }
}

/// An error with its context. Small to move: the parts are boxed.
pub struct Error(Box<Parts>);

struct Parts {
    kind: Kind,
    stage: Option<Stage>,
    input: Option<String>,
    row: Option<u64>,
    line: Option<u64>,
    customer: Option<String>,
    message: String,
    help: Option<String>,
    /// What else there is to say: with any, the place is in these lines, and not before the message.
    details: Vec<String>,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    /// Another thread failed first; this is only how its end was noticed.
    echo: bool,
}

impl Error {
    /// An error of the given kind with its message; context is added with the methods below.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        let message = message.into();
        let details = Vec::new();
        Error(Box::new(Parts {
            kind,
            stage: None,
            input: None,
            row: None,
            line: None,
            customer: None,
            message,
            help: None,
            details,
            cause: None,
            echo: false,
        }))
    }

    /// A [`Kind::Usage`] error.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// A [`Kind::Data`] error.
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(Kind::Data, message)
    }

    /// A [`Kind::Io`] error: what was being done, and the operating system's answer. An answer that is not the system's, but of a reader that
    /// found bytes which it does not understand, makes it one of [`Kind::Data`].
    pub fn io(doing: impl Into<String>, cause: std::io::Error) -> Self {
        use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        let of_content = cause.raw_os_error().is_none() && matches!(cause.kind(), InvalidData | InvalidInput | UnexpectedEof);
        Self::new(if of_content { Kind::Data } else { Kind::Io }, doing).cause(cause)
    }

    /// A [`Kind::Internal`] error.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }

    /// A [`Kind::Usage`] error for something that needs a cargo feature which this build lacks.
    #[cfg(not(all(
        feature = "cloud",
        feature = "compression",
        feature = "csv",
        feature = "glob",
        feature = "html",
        feature = "json",
        feature = "parquet",
        feature = "xlsx"
    )))]
    pub(crate) fn left_out(what: &str, feature: &str) -> Self {
        Self::usage(format!("this build of lensflow has no {what}")).help(format!("build it with the cargo feature {feature}"))
    }

    /// A [`Kind::Cancelled`] error.
    pub(crate) fn cancelled() -> Self {
        Self::new(Kind::Cancelled, "the run was cancelled")
    }

    /// The error of a thread that stops because the run has ended elsewhere: never the first cause.
    pub(crate) fn ended(stage: Stage) -> Self {
        let mut error = Self::internal("the run was ended").stage(stage);
        error.0.echo = true;
        error
    }

    /// Whether this is how another failure was noticed.
    pub(crate) fn is_echo(&self) -> bool {
        self.0.echo
    }

    /// Turns what a panicking thread left behind into an error.
    pub(crate) fn panicked(stage: Stage, payload: Box<dyn std::any::Any + Send>) -> Self {
        let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned());
        Self::internal(format!("a thread of the {stage} stage panicked: {text}")).stage(stage)
    }

    /// Adds the stage it happened in.
    #[must_use]
    pub fn stage(mut self, stage: Stage) -> Self {
        self.0.stage.get_or_insert(stage);
        self
    }

    /// Adds the input it happened in: a path, or `stdin`.
    #[must_use]
    pub fn input(mut self, input: impl Into<String>) -> Self {
        self.0.input.get_or_insert_with(|| input.into());
        self
    }

    /// Adds the row of the input, counted from 1 without a header.
    #[must_use]
    pub fn row(mut self, row: u64) -> Self {
        self.0.row.get_or_insert(row);
        self
    }

    /// Adds the line of a text input, counted from 1 with the header.
    #[must_use]
    pub fn line(mut self, line: Option<u64>) -> Self {
        self.0.line = self.0.line.or(line);
        self
    }

    /// Adds the customer it is about. The message says so itself.
    #[must_use]
    pub fn customer(mut self, customer: impl Into<String>) -> Self {
        self.0.customer.get_or_insert_with(|| customer.into());
        self
    }

    /// Adds what the reader can do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help.get_or_insert_with(|| help.into());
        self
    }

    /// Adds a line below the message. An error with any names its place there: the place that was [added](Error::input) is not shown.
    #[must_use]
    pub fn detail(mut self, line: impl Into<String>) -> Self {
        self.0.details.push(line.into());
        self
    }

    /// Adds the cause underneath. Where that is an answer of the operating system, what looks like a fault of the data is one of [`Kind::Io`].
    #[must_use]
    pub fn cause(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.cause.get_or_insert_with(|| cause.into());
        if self.0.kind == Kind::Data && self.io_causes().any(|io| io.raw_os_error().is_some()) {
            self.0.kind = Kind::Io;
        }
        self
    }

    /// The I/O errors underneath.
    fn io_causes(&self) -> impl Iterator<Item = &std::io::Error> {
        std::iter::successors(std::error::Error::source(self), |cause| cause.source()).filter_map(|cause| cause.downcast_ref())
    }

    /// The sort of fault.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The stage it happened in, where known.
    pub fn at_stage(&self) -> Option<Stage> {
        self.0.stage
    }

    /// The input it happened in, where known.
    pub fn at_input(&self) -> Option<&str> {
        self.0.input.as_deref()
    }

    /// The row it happened at, where known.
    pub fn at_row(&self) -> Option<u64> {
        self.0.row
    }

    /// The customer it is about, where known.
    pub fn at_customer(&self) -> Option<&str> {
        self.0.customer.as_deref()
    }

    /// Advice on how to mend it, where there is any. Options are named as fields of [`Spec`](crate::Spec) and of other options are, in backquotes and
    /// with the value that is advised: `` `on_bad_row=reject` ``. A program whose users call them otherwise can tell them by that.
    pub fn advice(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// True when the reader of our output went away: not a fault.
    pub fn is_broken_pipe(&self) -> bool {
        self.io_causes().any(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    }
}

/// An error as data, to travel between processes: what is shown of it is the same on the other side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorMessage {
    kind: Kind,
    stage: Option<Stage>,
    input: Option<String>,
    row: Option<u64>,
    line: Option<u64>,
    customer: Option<String>,
    message: String,
    help: Option<String>,
    details: Vec<String>,
    cause: Option<String>,
}

impl From<&Error> for ErrorMessage {
    fn from(error: &Error) -> Self {
        let Parts { kind, stage, input, row, line, customer, message, help, details, cause, .. } = &*error.0;
        ErrorMessage {
            kind: *kind,
            stage: *stage,
            input: input.clone(),
            row: *row,
            line: *line,
            customer: customer.clone(),
            message: message.clone(),
            help: help.clone(),
            details: details.clone(),
            cause: cause.as_ref().map(ToString::to_string),
        }
    }
}

impl ErrorMessage {
    /// The error again.
    pub fn into_error(self) -> Error {
        let ErrorMessage { kind, stage, input, row, line, customer, message, help, details, cause } = self;
        let cause = cause.map(Into::into);
        Error(Box::new(Parts { kind, stage, input, row, line, customer, message, help, details, cause, echo: false }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let e = &*self.0;
        if !e.details.is_empty() {
            f.write_str(&e.message)?;
            return e.details.iter().try_for_each(|line| write!(f, "\n  {line}"));
        }
        if let Some(input) = &e.input {
            write!(f, "{}: ", visible_name(input))?;
        }
        match (e.row, e.line) {
            (Some(row), Some(line)) => write!(f, "row {row} (line {line}): ")?,
            (Some(row), None) => write!(f, "row {row}: ")?,
            (None, Some(line)) => write!(f, "line {line}: ")?,
            (None, None) => {}
        }
        f.write_str(&e.message)?;
        if let Some(cause) = &e.cause {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

/// The text that people read, with the cause and the help: what `main` prints of an error that it returns.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        self.advice().map_or(Ok(()), |help| write!(f, "\n  help: {help}"))
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.as_deref().map(|c| c as _)
    }
}

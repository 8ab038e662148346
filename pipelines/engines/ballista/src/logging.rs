//! What Ballista and lensflow say, on standard error. `RUST_LOG` is `error`, `warn`, `info`, `debug` or `trace`, for all modules; where nothing is
//! said, only errors are shown: the driver says itself what has come of a job.

use log::{LevelFilter, Log, Metadata, Record};

struct Stderr;

static STDERR: Stderr = Stderr;

impl Log for Stderr {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        eprintln!("{} {}: {}", record.level(), record.target(), record.args());
    }

    fn flush(&self) {}
}

/// Shows them from now on.
pub fn start() {
    let asked = std::env::var("RUST_LOG").ok().and_then(|level| level.parse().ok());
    log::set_max_level(asked.unwrap_or(LevelFilter::Error));
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "error".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    // Another logger may be there already: then that one shows them.
    let _ = log::set_logger(&STDERR);
}

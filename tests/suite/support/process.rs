//! The binary as a child process: arguments, streams, exit code, and a limit to how long it may take.

use super::waits::EVER;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a run may take before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a run of the binary left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    /// None when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn out(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// Panics unless the binary ended with this code; nobody may ever see it panic.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Ran {
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        assert_eq!(self.code, Some(code), "stderr: {}", self.stderr);
        self
    }
}

/// What writes a run's standard input, piece by piece; it stops at the first error.
pub(crate) type Feed = Box<dyn FnOnce(&mut dyn Write) -> std::io::Result<()> + Send>;

/// A run of the binary in a folder.
pub(crate) struct Lensflow {
    command: Command,
    feed: Option<Feed>,
    reads_stdout: bool,
}

impl Lensflow {
    pub(crate) fn new<S: AsRef<str>>(folder: &Path, arguments: &[S]) -> Lensflow {
        Self::through(Command::new(env!("CARGO_BIN_EXE_lensflow")), folder, arguments)
    }

    /// By way of another program that gets the arguments.
    pub(crate) fn through<S: AsRef<str>>(mut command: Command, folder: &Path, arguments: &[S]) -> Lensflow {
        command.args(arguments.iter().map(AsRef::as_ref)).current_dir(folder);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Lensflow { command, feed: None, reads_stdout: true }
    }

    pub(crate) fn stdin(self, bytes: Vec<u8>) -> Lensflow {
        self.feed(Box::new(move |out| out.write_all(&bytes)))
    }

    pub(crate) fn feed(mut self, feed: Feed) -> Lensflow {
        self.feed = Some(feed);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Lensflow {
        self.command.env(name, value);
        self
    }

    pub(crate) fn stdout_to(mut self, file: fs::File) -> Lensflow {
        self.command.stdout(file);
        self
    }

    /// Closes the reading end of stdout before anything can be written to it.
    pub(crate) fn stdout_closed(mut self) -> Lensflow {
        self.reads_stdout = false;
        self
    }

    pub(crate) fn run(mut self) -> Ran {
        self.command.stdin(if self.feed.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = self.command.spawn().unwrap();
        let read = |pipe: Option<Box<dyn Read + Send>>| {
            thread::spawn(move || {
                let mut bytes = Vec::new();
                pipe.map(|mut pipe| pipe.read_to_end(&mut bytes).unwrap());
                bytes
            })
        };
        let stdout = child.stdout.take().filter(|_| self.reads_stdout);
        let stdout = read(stdout.map(|pipe| Box::new(pipe) as Box<dyn Read + Send>));
        let stderr = read(child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>));
        // The binary may stop reading at any time.
        let fed = self.feed.zip(child.stdin.take()).map(|(feed, mut pipe)| thread::spawn(move || drop(feed(&mut pipe))));
        let began = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if began.elapsed() > PATIENCE {
                child.kill().unwrap();
                panic!("still running after {PATIENCE:?}: {:?}", self.command);
            }
            thread::sleep(Duration::from_millis(2));
        };
        if let Some(thread) = fed {
            thread.join().unwrap();
        }
        let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
        Ran { code: status.code(), stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() }
    }
}

/// Runs the binary in a folder.
pub(crate) fn lensflow(folder: &Path, arguments: &[&str]) -> Ran {
    Lensflow::new(folder, arguments).run()
}

/// A run of the binary that is not waited for; it is killed when it is dropped.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn begin<S: AsRef<str>>(folder: &Path, arguments: &[S], stderr: impl Into<Stdio>) -> Running {
        Self::through(Command::new(env!("CARGO_BIN_EXE_lensflow")), folder, arguments, stderr)
    }

    /// By way of another program that gets the arguments.
    pub(crate) fn through<S: AsRef<str>>(mut command: Command, folder: &Path, arguments: &[S], stderr: impl Into<Stdio>) -> Running {
        command.args(arguments.iter().map(AsRef::as_ref)).current_dir(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr);
        Running(command.spawn().unwrap())
    }

    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.0.stdin.take().unwrap()
    }

    pub(crate) fn stderr(&mut self) -> String {
        let mut text = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    /// Sends a signal, which is called SIGTERM or TERM.
    pub(crate) fn signal(&self, signal: &str) {
        let signal = signal.strip_prefix("SIG").unwrap_or(signal);
        assert!(Command::new("kill").args(["-s", signal, &self.0.id().to_string()]).status().unwrap().success());
    }

    /// How it ends, which is within this time.
    #[track_caller]
    pub(crate) fn end(&mut self, within: Duration) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                assert!(begun.elapsed() < within, "it took {:?}", begun.elapsed());
                return status;
            }
            assert!(begun.elapsed() < EVER, "it goes on");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Kills it after a while; whether it had ended well before.
    pub(crate) fn killed_after(mut self, pause: Duration) -> bool {
        thread::sleep(pause);
        let _ = self.0.kill();
        self.0.wait().unwrap().success()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Gone already when all went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

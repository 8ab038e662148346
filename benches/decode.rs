//! What reading costs at the least: a Parquet file decoded as an audit decodes it, and nothing done with the batches.
//!
//! `cargo bench --bench decode [-- [--threads N] FILE]` prints rows and seconds. Without a file, it is a million made-up customers;
//! without a number, a thread per core. Threads take row groups in turn; reader and allocator are those of the command.

#[cfg(target_os = "linux")]
#[allow(dead_code)] // There is no limit to keep to.
#[path = "../src/bin/lensflow/allocator.rs"]
mod allocator;
mod made;

use lensflow::synthetic::Synthetic;
use lensflow::tasks::stages::BareFile;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut threads = thread::available_parallelism()?.get();
    let mut file = None;
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--threads" => threads = args.next().ok_or("--threads takes a number")?.parse()?,
            _ if file.is_none() && !arg.starts_with('-') => file = Some(arg),
            _ => return Err(format!("{arg:?} is unexpected: [--threads N] FILE").into()),
        }
    }
    let folder = tempfile::tempdir()?;
    let file = match file {
        Some(file) => file,
        None => {
            let path = folder.path().join("periods.parquet");
            made::write(&Synthetic::default(), &path)?;
            path.to_string_lossy().into_owned()
        }
    };
    let began = Instant::now();
    let rows = decode(&file, threads)?;
    println!("{rows} rows, {:.3} s", began.elapsed().as_secs_f64());
    Ok(())
}

/// Decodes all row groups; the number of rows.
fn decode(path: &str, threads: usize) -> lensflow::Result<usize> {
    let (file, next) = (BareFile::open(path)?, AtomicUsize::new(0));
    let work = || {
        let groups = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed)).take_while(|group| *group < file.groups());
        groups.map(|group| file.decode(group)).sum::<lensflow::Result<usize>>()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread does not panic")).sum()
    })
}

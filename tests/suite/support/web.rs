//! A small web server: a folder's files, by ranges, with ETags. It misbehaves when it is told to.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What the server does wrong, and what it has seen.
#[derive(Debug, Default)]
pub(crate) struct Manners {
    /// Requests that are answered with 503 before one is answered.
    pub(crate) busy: AtomicUsize,
    /// Files have become others when bytes from here on are asked for.
    pub(crate) changes_from: AtomicU64,
    /// Bytes of files that were sent.
    pub(crate) sent: AtomicU64,
    /// Ranges that were asked for, by path.
    pub(crate) asked: Mutex<HashMap<String, usize>>,
}

/// A server that runs until the process ends.
pub(crate) struct Web {
    pub(crate) url: String,
    pub(crate) manners: Arc<Manners>,
}

impl Web {
    pub(crate) fn serve(folder: PathBuf) -> Web {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let manners = Arc::new(Manners { changes_from: AtomicU64::new(u64::MAX), ..Manners::default() });
        let shared = manners.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (folder, manners) = (folder.clone(), shared.clone());
                thread::spawn(move || drop(answer_all(stream, &folder, &manners)));
            }
        });
        Web { url, manners }
    }
}

fn answer_all(stream: TcpStream, folder: &std::path::Path, manners: &Manners) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut out = stream;
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let mut words = lines[0].split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let header = |name: &str| {
            let named = |line: &&String| line.to_ascii_lowercase().starts_with(&format!("{name}: "));
            lines.iter().find(named).map(|line| line[name.len() + 2..].to_owned())
        };
        let busy = manners.busy.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if busy {
            out.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")?;
            continue;
        }
        let Ok(bytes) = fs::read(folder.join(path.trim_start_matches('/'))) else {
            out.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
            continue;
        };
        let range = header("range").and_then(|range| {
            let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
            Some((from.parse::<usize>().ok()?, to.parse::<usize>().ok()?))
        });
        let (from, to) = range.unwrap_or((0, bytes.len() - 1));
        let is_changed = from as u64 >= manners.changes_from.load(Ordering::SeqCst);
        let tag = format!("\"{:x}{}\"", bytes.iter().fold(bytes.len() as u64, |sum, &b| sum.wrapping_mul(31) + u64::from(b)), is_changed);
        if header("if-match").is_some_and(|wanted| wanted != tag) {
            out.write_all(b"HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n")?;
            continue;
        }
        let about = format!("ETag: {tag}\r\nLast-Modified: Tue, 03 Mar 2026 10:00:00 GMT\r\nAccept-Ranges: bytes\r\n");
        if method == "HEAD" {
            write!(out, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{about}\r\n", bytes.len())?;
            continue;
        }
        let part = &bytes[from..=to.min(bytes.len() - 1)];
        *manners.asked.lock().unwrap().entry(path.to_owned()).or_default() += 1;
        manners.sent.fetch_add(part.len() as u64, Ordering::SeqCst);
        let (length, size) = (part.len(), bytes.len());
        write!(out, "HTTP/1.1 206 Partial Content\r\nContent-Length: {length}\r\nContent-Range: bytes {from}-{to}/{size}\r\n{about}\r\n")?;
        out.write_all(part)?;
    }
}

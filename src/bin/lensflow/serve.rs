//! Two pages for machines over HTTP: `/metrics` for Prometheus, and `/healthz` for the supervisor that restarts a sick process. One thread takes
//! connections, another answers them, each as soon as its request is there: those that say nothing cost the others no time. No request
//! gets longer than [`PATIENCE`], and where too many are open, the oldest has to go.

use crate::metrics::Metrics;
use lensflow::Result;
use lensflow::error::Error;
use lensflow::memory::no_thread;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(1);
/// Open connections at most: far fewer than a process may have files open.
const MOST: usize = 200;
/// How often open connections are looked at.
const TICK: Duration = Duration::from_millis(5);
/// Of a request; browsers and scrapers send far less.
const MAX_HEAD: usize = 8 << 10;
const PLAIN: &str = "text/plain; charset=utf-8";
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves from now on, at the address that it says.
pub(crate) fn serve(address: SocketAddr, metrics: Arc<Metrics>) -> Result<SocketAddr> {
    let fail = |e| Error::io("cannot serve metrics", e).input(address.to_string()).help("is another process serving there?");
    let listener = TcpListener::bind(address).map_err(fail)?;
    let bound = listener.local_addr().map_err(fail)?;
    let (send, come) = channel();
    let take = move || {
        for stream in listener.incoming() {
            match stream.and_then(Connection::new) {
                Ok(connection) => drop(send.send(connection)),
                // No file descriptors, for example: that may pass.
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    };
    let start = |work: Box<dyn FnOnce() + Send>| {
        let thread = std::thread::Builder::new().name("metrics".to_owned()).spawn(work);
        thread.map(drop).map_err(no_thread)
    };
    start(Box::new(take))?;
    start(Box::new(move || answer(&come, &metrics)))?;
    Ok(bound)
}

/// Answers connections as they come.
fn answer(come: &Receiver<Connection>, metrics: &Metrics) {
    let mut open: Vec<Connection> = Vec::new();
    loop {
        // Without any, there is nothing to look at.
        let next = if open.is_empty() { come.recv().ok() } else { come.recv_timeout(TICK).ok() };
        open.extend(next.into_iter().chain(come.try_iter()));
        open.retain_mut(|connection| connection.goes_on(metrics));
        open.drain(..open.len().saturating_sub(MOST));
    }
}

/// A connection: its request as far as it is there, or what is left of the answer.
struct Connection {
    stream: TcpStream,
    begun: Instant,
    request: Vec<u8>,
    answer: Option<(Vec<u8>, usize)>,
}

impl Connection {
    fn new(stream: TcpStream) -> std::io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Connection { stream, begun: Instant::now(), request: Vec::new(), answer: None })
    }

    /// Reads and writes what can be now; false when it is over.
    fn goes_on(&mut self, metrics: &Metrics) -> bool {
        // Who goes away before the answer does not want it.
        let is_over = self.step(metrics).unwrap_or(true);
        !is_over && self.begun.elapsed() < PATIENCE
    }

    fn step(&mut self, metrics: &Metrics) -> std::io::Result<bool> {
        if self.answer.is_none() && self.is_read()? {
            self.answer = Some((respond(&self.request, metrics), 0));
        }
        let Some((bytes, written)) = &mut self.answer else { return Ok(false) };
        while *written < bytes.len() {
            match self.stream.write(&bytes[*written..]) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Ok(0) => return Ok(true),
                written_now => *written += written_now?,
            }
        }
        Ok(true)
    }

    /// Reads what is there; whether that is all there is to read.
    fn is_read(&mut self) -> std::io::Result<bool> {
        let mut block = [0; 1024];
        while self.request.len() < MAX_HEAD {
            match self.stream.read(&mut block) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Ok(0) => return Ok(true),
                read => self.request.extend_from_slice(&block[..read?]),
            }
            if !matches!(parsed(&self.request), Parsed::Partly) {
                return Ok(true);
            }
        }
        Ok(true)
    }
}

/// The method and path of a request.
enum Parsed {
    Whole(String, String),
    Partly,
    Never,
}

fn parsed(bytes: &[u8]) -> Parsed {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Partial) => Parsed::Partly,
        Ok(httparse::Status::Complete(_)) => match request.method.zip(request.path) {
            Some((method, path)) => Parsed::Whole(method.to_owned(), path.to_owned()),
            None => Parsed::Never,
        },
        Err(_) => Parsed::Never,
    }
}

fn respond(request: &[u8], metrics: &Metrics) -> Vec<u8> {
    let Parsed::Whole(method, path) = parsed(request) else {
        return reply("400 Bad Request", PLAIN, "that is no HTTP request\n", false);
    };
    let head = method == "HEAD";
    if method != "GET" && !head {
        return reply("405 Method Not Allowed", PLAIN, "GET or HEAD\n", false);
    }
    match path.split('?').next() {
        Some("/metrics") => reply("200 OK", METRICS, &metrics.page(), head),
        Some("/healthz") => match metrics.illness() {
            None => reply("200 OK", PLAIN, "ok\n", head),
            Some(why) => reply("503 Service Unavailable", PLAIN, &format!("{why}\n"), head),
        },
        Some("/") => reply("200 OK", PLAIN, "lensflow\n/metrics\n/healthz\n", head),
        _ => reply("404 Not Found", PLAIN, "/metrics and /healthz are here\n", head),
    }
}

fn reply(status: &str, kind: &str, body: &str, head: bool) -> Vec<u8> {
    let length = body.len();
    let mut text = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    if !head {
        text += body;
    }
    text.into_bytes()
}

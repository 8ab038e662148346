//! Two pages for machines over HTTP: `/metrics` for Prometheus, and `/healthz` for the supervisor that restarts a sick process. A few threads answer one
//! request after the other; no request gets longer than [`PATIENCE`], so that connections that say nothing cost others a few seconds at most.

use crate::metrics::Metrics;
use lensflow::Result;
use lensflow::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(1);
const THREADS: usize = 4;
/// Of a request; browsers and scrapers send far less.
const MAX_HEAD: usize = 8 << 10;
const PLAIN: &str = "text/plain; charset=utf-8";
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves from now on, at the address that it says.
pub(crate) fn serve(address: SocketAddr, metrics: Arc<Metrics>) -> Result<SocketAddr> {
    let fail = |e| Error::io("cannot serve metrics", e).input(address.to_string()).help("is another process serving there?");
    let listener = TcpListener::bind(address).map_err(fail)?;
    let bound = listener.local_addr().map_err(fail)?;
    let listener = Arc::new(listener);
    let answer = |listener: Arc<TcpListener>, metrics: Arc<Metrics>| {
        for stream in listener.incoming() {
            match stream {
                // Who goes away before the answer does not want it.
                Ok(mut stream) => drop(respond(&mut stream, &metrics)),
                // No file descriptors, for example: that may pass.
                Err(_) => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    };
    for _ in 0..THREADS {
        let (listener, metrics) = (listener.clone(), metrics.clone());
        let thread = std::thread::Builder::new().name("metrics".to_owned()).spawn(move || answer(listener, metrics));
        thread.map_err(|e| Error::internal("cannot start a thread").cause(e))?;
    }
    Ok(bound)
}

fn respond(stream: &mut TcpStream, metrics: &Metrics) -> std::io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let Some((method, path)) = request(stream)? else {
        return reply(stream, "400 Bad Request", PLAIN, "that is no HTTP request\n", false);
    };
    let head = method == "HEAD";
    if method != "GET" && !head {
        return reply(stream, "405 Method Not Allowed", PLAIN, "GET or HEAD\n", false);
    }
    match path.split('?').next() {
        Some("/metrics") => reply(stream, "200 OK", METRICS, &metrics.page(), head),
        Some("/healthz") => match metrics.illness() {
            None => reply(stream, "200 OK", PLAIN, "ok\n", head),
            Some(why) => reply(stream, "503 Service Unavailable", PLAIN, &format!("{why}\n"), head),
        },
        Some("/") => reply(stream, "200 OK", PLAIN, "lensflow\n/metrics\n/healthz\n", head),
        _ => reply(stream, "404 Not Found", PLAIN, "/metrics and /healthz are here\n", head),
    }
}

/// The method and path of a request; none if it is not one.
fn request(stream: &mut TcpStream) -> std::io::Result<Option<(String, String)>> {
    let begun = Instant::now();
    let (mut bytes, mut block) = (Vec::new(), [0; 1024]);
    while bytes.len() < MAX_HEAD {
        let left = PATIENCE.saturating_sub(begun.elapsed());
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        if left.is_zero() {
            return Ok(None);
        }
        match stream.read(&mut block)? {
            0 => return Ok(None),
            n => bytes.extend_from_slice(&block[..n]),
        }
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&bytes) {
            Ok(httparse::Status::Partial) => {}
            Ok(httparse::Status::Complete(_)) => return Ok(request.method.zip(request.path).map(|(m, p)| (m.to_owned(), p.to_owned()))),
            Err(_) => return Ok(None),
        }
    }
    Ok(None)
}

fn reply(stream: &mut TcpStream, status: &str, kind: &str, body: &str, head: bool) -> std::io::Result<()> {
    let length = body.len();
    let head_lines = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(head_lines.as_bytes())?;
    if head { Ok(()) } else { stream.write_all(body.as_bytes()) }
}

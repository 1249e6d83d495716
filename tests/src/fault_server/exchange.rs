//! One connection of the fault server: reads requests, and answers each as the fault says.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    Shared,
    fault::{Act, Answer, Length, Point},
    now::Now,
    plays::Asked,
};

/// Time between two bytes that drip.
const DRIP: Duration = Duration::from_millis(50);
/// Most bytes of a flood.
const FLOOD_BYTES: usize = 1 << 30;
const FLOOD_CHUNK: usize = 64 * 1024;
/// So many bytes of a body are looked through for the place of what it repeats.
const LOOKED_THROUGH: usize = 4096;
/// A request is small: its prompt is a template and a marker, or it has a few records.
const REQUEST_MAX: usize = 1 << 20;

/// Serves until the peer ends the connection, or the fault does.
pub(super) async fn serve(mut socket: TcpStream, shared: Arc<Shared>) {
    let _ = socket.set_nodelay(true);
    let now = shared.now.borrow().clone();
    if let Some(fault) = now.of_a_connection() {
        shared.faults.fetch_add(1, Ordering::Relaxed);
        let _ = act(&mut socket, fault.act, &[], b" ").await;
        return;
    }
    let mut buffer = vec![];
    while let Some(request) = read(&mut socket, &mut buffer).await {
        let now = shared.now.borrow().clone();
        if let Some(fault) = now.of_a_connection() {
            // As on a connection of its own.
            shared.faults.fetch_add(1, Ordering::Relaxed);
            let _ = act(&mut socket, fault.act, &[], b" ").await;
            return;
        }
        if answer(&mut socket, &shared, &now, &request).await.is_err() {
            return;
        }
    }
}

/// The next request: its head and its body. None: there is no more.
async fn read(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    loop {
        if let Some(end) = end_of(buffer) {
            let rest = buffer.split_off(end);
            return Some(std::mem::replace(buffer, rest));
        }
        let read = socket.read_buf(buffer).await.ok()?;
        if read == 0 || buffer.len() > REQUEST_MAX {
            return None;
        }
    }
}

/// Where the first request ends, if it is there whole.
fn end_of(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&buffer[..head]).ok()?.to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
    let end = head + length.unwrap_or_default();
    (buffer.len() >= end).then_some(end)
}

/// Answers a request; an error ends the connection.
async fn answer(socket: &mut TcpStream, shared: &Shared, now: &Now, request: &[u8]) -> std::io::Result<()> {
    let Some(asked) = shared.plays.asked(&String::from_utf8_lossy(request)) else {
        return socket.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
    };
    let fault = now.of_a_request(&asked);
    shared.plays.note(&asked, fault.is_none());
    let Some(fault) = fault else {
        shared.good.fetch_add(1, Ordering::Relaxed);
        let (head, body) = written(&shared.plays.good(&asked), &asked);
        return socket.write_all(&[head, body].concat()).await;
    };
    shared.faults.fetch_add(1, Ordering::Relaxed);
    let (head, body) = written(&fault.answer, &asked);
    let whole = [&head[..], &body].concat();
    let sent = match fault.at {
        Point::Accepted | Point::Asked => 0,
        Point::InHead => head.len() / 2,
        Point::AfterHead => head.len(),
        Point::InBody => head.len() + body.len() / 2,
        Point::AfterBody => whole.len(),
    };
    socket.write_all(&whole[..sent]).await?;
    let flood: &[u8] = if fault.at == Point::InHead { b"x-flood: 0123456789\r\n" } else { b" " };
    act(socket, fault.act, &whole[sent..], flood).await?;
    match (fault.act, fault.answer.length) {
        (Act::GoOn, Length::UntilClosed) => Err(std::io::ErrorKind::ConnectionAborted.into()),
        (Act::GoOn, _) => Ok(()),
        _ => Err(std::io::ErrorKind::ConnectionAborted.into()),
    }
}

/// What happens at the fault's point; `rest` is what would have followed.
async fn act(socket: &mut TcpStream, act: Act, rest: &[u8], flood: &[u8]) -> std::io::Result<()> {
    match act {
        Act::GoOn => socket.write_all(rest).await,
        Act::Hang => gone(socket).await,
        Act::Cut => socket.shutdown().await,
        Act::Reset => socket.set_zero_linger(),
        Act::Drip => {
            for byte in rest {
                socket.write_all(&[*byte]).await?;
                tokio::time::sleep(DRIP).await;
            }
            Ok(())
        }
        Act::Flood => {
            let chunk = flood.repeat(FLOOD_CHUNK / flood.len());
            for _ in 0..FLOOD_BYTES / chunk.len() {
                socket.write_all(&chunk).await?;
            }
            Ok(())
        }
    }
}

/// Waits until the peer has closed the connection.
async fn gone(socket: &mut TcpStream) -> std::io::Result<()> {
    let mut ignored = [0; 4096];
    while socket.read(&mut ignored).await? > 0 {}
    Ok(())
}

/// Head and body of an answer as they are sent.
fn written(answer: &Answer, asked: &Asked) -> (Vec<u8>, Vec<u8>) {
    let body = replaced(&answer.body, Answer::ECHO.as_bytes(), asked.echo(answer).as_bytes());
    let length = i64::try_from(body.len()).unwrap_or(i64::MAX);
    let (framing, body) = match answer.length {
        Length::Off(by) => (format!("content-length: {}\r\n", length + by), body),
        Length::UntilClosed => ("connection: close\r\n".into(), body),
        Length::Chunked => {
            let chunk = [format!("{length:x}\r\n").as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
            ("transfer-encoding: chunked\r\n".into(), chunk)
        }
        Length::BadChunk => ("transfer-encoding: chunked\r\n".into(), [b"many\r\n", &body[..]].concat()),
        Length::Twice => (format!("content-length: {length}\r\ncontent-length: {}\r\n", length + 1), body),
        Length::NoNumber => ("content-length: many\r\n".into(), body),
    };
    let headers: String = answer.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    (format!("HTTP/1.1 {} Status\r\n{headers}{framing}\r\n", answer.status).into_bytes(), body)
}

/// A text with another in place of the first occurrence of a part of it. It is looked for at the beginning only: in a
/// large text that would take most of the time.
fn replaced(text: &[u8], part: &[u8], with: &[u8]) -> Vec<u8> {
    let beginning = &text[..text.len().min(LOOKED_THROUGH)];
    match beginning.windows(part.len()).position(|window| window == part) {
        Some(at) => [&text[..at], with, &text[at + part.len()..]].concat(),
        None => text.to_vec(),
    }
}

//! A request's body as a blocking reader: a task takes it off the network, the request's thread reads and decodes it.

use std::io::{self, Read};
use std::time::Duration;

use axum::body::Body;
use bytes::{Buf as _, Bytes};
use http_body_util::BodyExt as _;
use tokio::sync::mpsc;

use super::super::ffi::Exception;
use super::blocks::BlockReader;

/// Pieces between the network and the reader; a piece is what one read of the socket gave, at most some 400 KiB.
const PIECES_MAX: usize = 8;
/// How long a sender may be silent inside a body.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Longest body on the wire.
const BODY_BYTES_MAX: u64 = 8 << 30;
/// Longest body after decoding: a bomb ends here.
const DECODED_BYTES_MAX: u64 = 32 << 30;
/// How much of a body is read on and thrown away after the request has failed, so that its sender comes to read the answer.
const DRAIN_BYTES_MAX: u64 = 1 << 30;
/// The same for a sender without credentials.
pub(super) const STRANGER_DRAIN_BYTES_MAX: u64 = 1 << 20;

/// The undecoded body. Dropping it early makes the rest be read and thrown away.
pub(super) struct Incoming {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    present: Bytes,
    failed: bool,
}

impl Incoming {
    pub fn new(body: Body) -> Self {
        let (sender, pieces) = mpsc::channel(PIECES_MAX);
        tokio::spawn(pump(body, sender));
        Self { pieces, present: Bytes::new(), failed: false }
    }
}

/// Reads a body to its end or to a limit, for nobody.
pub(super) async fn drain(mut body: Body, bytes_max: u64) {
    let mut bytes = 0;
    while bytes < bytes_max
        && let Ok(Some(Ok(frame))) = tokio::time::timeout(SILENCE_MAX, body.frame()).await
    {
        bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
    }
}

async fn pump(mut body: Body, sender: mpsc::Sender<io::Result<Bytes>>) {
    let mut bytes = 0;
    loop {
        let piece = match tokio::time::timeout(SILENCE_MAX, body.frame()).await {
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, format!("no data for {} s", SILENCE_MAX.as_secs()))),
            Ok(None) => return,
            Ok(Some(Err(error))) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, error)),
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => Ok(data),
                // Trailers mean nothing here.
                Err(_) => continue,
            },
        };
        bytes += piece.as_ref().map_or(0, |data| data.len() as u64);
        let piece = if bytes > BODY_BYTES_MAX { Err(too_long(BODY_BYTES_MAX)) } else { piece };
        let is_last = piece.is_err();
        if sender.send(piece).await.is_err() {
            return drain(body, DRAIN_BYTES_MAX).await;
        }
        if is_last {
            return;
        }
    }
}

fn too_long(bytes_max: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("the body is longer than {bytes_max} bytes"))
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.present.is_empty() {
            if self.failed {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            match self.pieces.blocking_recv() {
                None => return Ok(0),
                Some(Ok(piece)) => self.present = piece,
                Some(Err(error)) => {
                    // A decoder may ask again; a failed body must never look like one that ended.
                    self.failed = true;
                    return Err(error);
                }
            }
        }
        let count = buffer.len().min(self.present.len());
        self.present.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

/// How a body is packed: the request's `Content-Encoding`, and `decompress=1`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Packing {
    pub encoding: Option<String>,
    pub blocks: bool,
}

/// The body's contents.
pub(super) fn unpacked(incoming: Incoming, packing: &Packing) -> Result<Box<dyn Read>, Exception> {
    let decoded: Box<dyn Read> = match packing.encoding.as_deref() {
        None | Some("" | "identity") => Box::new(incoming),
        Some("gzip") => Box::new(flate2::read::MultiGzDecoder::new(incoming)),
        Some("lz4") => Box::new(lz4_flex::frame::FrameDecoder::new(incoming)),
        Some(other) => {
            return Err(Exception::new(
                48,
                "NOT_IMPLEMENTED",
                format!("the embedded engine reads Content-Encoding gzip and lz4, not {other:?}"),
            ));
        }
    };
    let decoded: Box<dyn Read> = if packing.blocks { Box::new(BlockReader::new(decoded)) } else { decoded };
    Ok(Box::new(Limited { source: decoded, left: DECODED_BYTES_MAX }))
}

/// Fails, instead of ending, where the limit is passed.
struct Limited {
    source: Box<dyn Read>,
    left: u64,
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| too_long(DECODED_BYTES_MAX))?;
        Ok(count)
    }
}

/// Why a body could not be read, in the engine's words.
pub(super) fn exception(error: &io::Error) -> Exception {
    match error.kind() {
        io::ErrorKind::TimedOut => Exception::new(209, "SOCKET_TIMEOUT", format!("reading the request's body: {error}")),
        io::ErrorKind::FileTooLarge => Exception::new(229, "QUERY_IS_TOO_LARGE", error),
        io::ErrorKind::ConnectionAborted => Exception::new(210, "NETWORK_ERROR", format!("the request's body broke off: {error}")),
        io::ErrorKind::UnexpectedEof => Exception::new(32, "ATTEMPT_TO_READ_AFTER_EOF", "the request's compressed body ends too early"),
        _ => Exception::new(271, "CANNOT_DECOMPRESS", format!("unpacking the request's body: {error}")),
    }
}

//! What parent and child say to each other: a Unix socket that is the child's standard input.
//!
//! The parent sends one line with the settings, and with it the listening socket; the child answers one line when it
//! is ready or has failed. After that the socket is the child's life line: a line asks for an orderly stop, its end
//! means that the parent is gone. Credentials travel here because command lines and environments can be seen by others.

use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::EngineError;

/// Longest line either side accepts.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// Settings of the child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StartMessage {
    pub library: PathBuf,
    /// The engine's own folder.
    pub path: PathBuf,
    pub user: String,
    pub password: String,
    pub memory_bytes_max: u64,
    pub requests_max: usize,
    pub folder_wait_ms: u64,
}

/// The child's answer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Readiness {
    Ready { version: String },
    Failed { reason: String },
}

/// Asks for an orderly stop.
pub(super) fn send_stop(socket: &UnixStream) -> io::Result<()> {
    let mut socket = socket;
    socket.write_all(b"stop\n")
}

/// Sends the settings together with the listening socket.
pub(super) fn send_start(socket: &UnixStream, message: &StartMessage, listener: &TcpListener) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    let descriptors = [listener.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::other("no room for the listening socket"));
    }
    let sent = rustix::net::sendmsg(socket, &[IoSlice::new(&line)], &mut ancillary, SendFlags::empty())?;
    let mut socket = socket;
    socket.write_all(&line[sent..])
}

/// Reads the settings and the listening socket.
pub(super) fn receive_start(socket: &UnixStream) -> Result<(StartMessage, TcpListener), EngineError> {
    let refused = |reason: String| EngineError::Control { reason };
    let mut line = vec![0; LINE_BYTES_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut line)], &mut ancillary, RecvFlags::empty())
        .map_err(|error| refused(format!("standard input is not the control socket: {error}")))?;
    let mut listener: Option<OwnedFd> = None;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            listener = descriptors.last();
        }
    }
    let listener = listener.ok_or_else(|| refused("no listening socket came with it".into()))?;
    line.truncate(received.bytes);
    if !line.ends_with(b"\n") {
        line.extend(read_line(socket).map_err(|error| refused(error.to_string()))?);
    }
    let message = serde_json::from_slice(&line).map_err(|error| refused(error.to_string()))?;
    Ok((message, TcpListener::from(listener)))
}

/// Sends the child's answer.
pub(super) fn send_readiness(socket: &UnixStream, readiness: &Readiness) -> io::Result<()> {
    let mut line = serde_json::to_vec(readiness)?;
    line.push(b'\n');
    let mut socket = socket;
    socket.write_all(&line)
}

/// Reads the child's answer, for as long as the socket's read timeout allows.
pub(super) fn receive_readiness(socket: &UnixStream) -> io::Result<Readiness> {
    parse(&read_line(socket)?)
}

fn parse<T: DeserializeOwned>(line: &[u8]) -> io::Result<T> {
    serde_json::from_slice(line).map_err(io::Error::from)
}

/// Byte by byte, so that nothing behind the line is taken.
fn read_line(socket: &UnixStream) -> io::Result<Vec<u8>> {
    let mut socket = socket;
    let (mut line, mut byte) = (Vec::new(), [0]);
    while line.len() < LINE_BYTES_MAX {
        match socket.read(&mut byte) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            // With a time limit on it, a read is not taken up again after a signal.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        if byte[0] == b'\n' {
            return Ok(line);
        }
        line.push(byte[0]);
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "line too long"))
}

//! Clients that prove themselves with a token, and get each new one while they live.
#![expect(unsafe_code, reason = "the call that gives a client its token, which the safe crate has for some clients only")]

use super::Failure;
use super::text::{c, check, owned};
use crate::broker::wake::lock;
use rdkafka::bindings as sys;
use rdkafka::types::RDKafkaErrorCode as Code;
use std::collections::BTreeMap;
use std::ffi::c_char;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex};

/// What a client says to a broker.
pub(in crate::kafka) struct Proof<'a> {
    pub(in crate::kafka) token: &'a str,
    pub(in crate::kafka) expires_at_ms: i64,
    pub(in crate::kafka) principal: &'a str,
    pub(in crate::kafka) extensions: &'a BTreeMap<String, String>,
}

struct Handle(NonNull<sys::rd_kafka_t>);

// Safety: librdkafka may be called from any thread, and a handle is used only while its client lives.
unsafe impl Send for Handle {}

#[derive(Default)]
struct Taken {
    next: u64,
    clients: BTreeMap<u64, Handle>,
}

/// Every client that holds a seat.
#[derive(Default)]
pub(in crate::kafka) struct Seats(Arc<Mutex<Taken>>);

/// To be dropped before its client is.
pub(in crate::kafka) struct Seat {
    taken: Arc<Mutex<Taken>>,
    number: u64,
}

impl Seats {
    /// Gives the client its first token, and every later one until the seat is dropped.
    ///
    /// # Safety
    /// The client lives until the seat is dropped.
    unsafe fn take(&self, client: NonNull<sys::rd_kafka_t>, proof: &Proof<'_>) -> Result<Seat, Failure> {
        let mut taken = lock(&self.0);
        // Safety: the caller's promise.
        unsafe { give(client, proof)? };
        let number = taken.next;
        taken.next += 1;
        taken.clients.insert(number, Handle(client));
        Ok(Seat { taken: Arc::clone(&self.0), number })
    }

    /// The same for a client that whoever asks keeps beside the seat, behind it.
    pub(in crate::kafka) fn take_for(&self, client: *mut sys::rd_kafka_t, proof: &Proof<'_>) -> Result<Seat, Failure> {
        let client = NonNull::new(client).ok_or_else(|| Failure::new(Code::Fail))?;
        // Safety: in each struct of this folder the seat stands before the client, and fields are dropped in that order.
        unsafe { self.take(client, proof) }
    }

    /// Gives every client a new token; the first failure.
    pub(in crate::kafka) fn give(&self, proof: &Proof<'_>) -> Result<(), Failure> {
        let taken = lock(&self.0);
        // Safety: a seat is dropped under the same lock, before its client is.
        taken.clients.values().map(|handle| unsafe { give(handle.0, proof) }).fold(Ok(()), Result::and)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        lock(&self.taken).clients.remove(&self.number);
    }
}

/// # Safety
/// A live client.
unsafe fn give(client: NonNull<sys::rd_kafka_t>, proof: &Proof<'_>) -> Result<(), Failure> {
    let (token, principal) = (c(proof.token).map_err(|_| unreadable())?, c(proof.principal)?);
    let pairs = proof.extensions.iter().flat_map(|(name, value)| [name, value]).map(|text| c(text)).collect::<Result<Vec<_>, _>>()?;
    let mut pointers: Vec<*const c_char> = pairs.iter().map(|text| text.as_ptr()).collect();
    let mut error = [0 as c_char; 256];
    // Safety: everything lives for the call, which copies it; the error is text that ends.
    unsafe {
        let code = sys::rd_kafka_oauthbearer_set_token(
            client.as_ptr(),
            token.as_ptr(),
            proof.expires_at_ms,
            principal.as_ptr(),
            pointers.as_mut_ptr(),
            pointers.len(),
            error.as_mut_ptr(),
            error.len(),
        );
        check(code).map_err(|failure| Failure { text: owned(error.as_ptr()), ..failure })
    }
}

/// Without the text, which is a secret.
fn unreadable() -> Failure {
    Failure { code: Code::InvalidArgument, text: "the token holds a zero byte".to_owned() }
}

//! Text across the border to C.
#![expect(unsafe_code, reason = "C's strings are pointers")]

use super::Failure;
use rdkafka::bindings::{rd_kafka_err2str, rd_kafka_error_code, rd_kafka_error_string, rd_kafka_error_t, rd_kafka_resp_err_t};
use rdkafka::types::RDKafkaErrorCode as Code;
use std::ffi::{CStr, CString, c_char};

/// Null is the empty text.
///
/// # Safety
/// `text` is null or a string that ends, and lives for the call.
pub(super) unsafe fn owned(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // Safety: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

pub(super) fn c(text: &str) -> Result<CString, Failure> {
    CString::new(text).map_err(|_| Failure { code: Code::InvalidArgument, text: format!("{text:?} holds a zero byte") })
}

pub(super) fn check(code: rd_kafka_resp_err_t) -> Result<(), Failure> {
    if code == rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Ok(());
    }
    // Safety: the text of a code is static.
    Err(Failure { code: code.into(), text: unsafe { owned(rd_kafka_err2str(code)) } })
}

/// # Safety
/// `error` is null or a live error.
pub(super) unsafe fn check_error(error: *const rd_kafka_error_t) -> Result<(), Failure> {
    if error.is_null() {
        return Ok(());
    }
    // Safety: the caller's promise.
    let (code, text) = unsafe { (rd_kafka_error_code(error), owned(rd_kafka_error_string(error))) };
    if code == rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR { Ok(()) } else { Err(Failure { code: code.into(), text }) }
}

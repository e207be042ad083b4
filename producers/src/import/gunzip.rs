//! Gzip as `gzip -d` takes it: members one after the other, and zeroes after the last.

use flate2::bufread::GzDecoder;
use std::io::{self, BufRead, Read};

/// The text of all members of a gzip stream.
pub(super) struct Gunzip<R> {
    /// The member that is read; none after the last.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Gunzip<R> {
    pub fn new(input: R) -> Self {
        Self { member: Some(GzDecoder::new(input)) }
    }
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while let Some(member) = &mut self.member {
            let n = member.read(buffer)?;
            if n > 0 {
                return Ok(n);
            }
            self.member = self.member.take().map(GzDecoder::into_inner).and_then(next_member).transpose()?;
        }
        Ok(0)
    }
}

/// What follows a member: another one, or nothing but the zeroes with which tapes and block devices are filled up.
fn next_member<R: BufRead>(mut input: R) -> Option<io::Result<GzDecoder<R>>> {
    loop {
        let (zeroes, all) = match input.fill_buf() {
            Ok(bytes) => (bytes.iter().take_while(|&&byte| byte == 0).count(), bytes.len()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Some(Err(error)),
        };
        if all == 0 {
            return None;
        }
        if zeroes < all {
            input.consume(zeroes);
            return Some(Ok(GzDecoder::new(input)));
        }
        input.consume(all);
    }
}

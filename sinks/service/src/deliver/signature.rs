//! Signatures of webhooks as the Standard Webhooks specification has them (standardwebhooks.com, version 1.0.0).

use super::config::Hidden;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What stands before the secret's base64.
const PREFIX: &str = "whsec_";
/// The specification's bounds of a secret.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A secret that signs.
#[derive(Clone, Debug)]
pub struct SigningSecret {
    key: Hidden<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("whsec_ and then the base64 of 24 to 64 bytes is wanted")]
pub struct NoSecret;

impl SigningSecret {
    pub fn parse(text: &str) -> Result<Self, NoSecret> {
        let key = STANDARD.decode(text.strip_prefix(PREFIX).ok_or(NoSecret)?).map_err(|_| NoSecret)?;
        if KEY_BYTES.contains(&key.len()) { Ok(Self { key: Hidden(key) }) } else { Err(NoSecret) }
    }

    /// The value of `webhook-signature`; `timestamp` in whole seconds.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        // A key of any length is one for HMAC.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key.0) else { return String::new() };
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn the_published_example() {
        let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn secrets_are_checked_and_never_shown() {
        for text in ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_%%%"] {
            assert!(SigningSecret::parse(text).is_err(), "{text}");
        }
        let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(format!("{secret:?}"), "SigningSecret { key: *** }");
    }
}

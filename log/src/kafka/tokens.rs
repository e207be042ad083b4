//! OAUTHBEARER: one token for all clients of a cluster, renewed long before it ends.
//!
//! ```text
//! TokenSource ──► Tokens ──► every client, at its opening and at each renewal
//! ```
//! The source is asked by a thread of its own, so that nobody who reads or appends waits for it. A client that proves itself
//! again, as brokers may ask it to, has the token of the day, also where nobody polls it.

use super::config::Secret;
use super::native::Failure;
use super::native::seats::{Proof, Seat, Seats};
use crate::broker::wake::lock;
use crate::{Error, Result};
use rdkafka::bindings::rd_kafka_t;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A token is renewed when so much of its life is over.
const RENEWED_AFTER: f64 = 0.7;
/// How often whoever renews looks whether it is time, or whether nobody needs tokens any more.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Waits between attempts: from the first, doubled, to the last.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A refusal that comes so soon after a renewal may be of the token before.
const IN_FLIGHT_MAX: Duration = Duration::from_secs(5);
const ADVICE: &str = "; check the token endpoint, client id, secret and scope";

/// What a client shows to a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub value: Secret,
    pub expires_at: SystemTime,
}

/// Why there is no token. The reason holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoToken {
    pub reason: String,
    /// Asking again does not help until somebody has changed something.
    pub is_lasting: bool,
}

/// Whom to ask for tokens. It blocks, within bounds of its own.
#[derive(Clone)]
pub struct TokenSource(Arc<dyn Fn() -> std::result::Result<Token, NoToken> + Send + Sync>);

impl TokenSource {
    pub fn new(ask: impl Fn() -> std::result::Result<Token, NoToken> + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSource(…)")
    }
}

impl PartialEq for TokenSource {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for TokenSource {}

/// SASL OAUTHBEARER. Needs the feature `tls`, also without encryption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuth {
    pub source: TokenSource,
    /// What the client's own log calls us; brokers go by the token.
    pub principal: String,
    /// What some brokers ask for beside the token, as the id of a cluster.
    pub extensions: BTreeMap<String, String>,
}

/// The present token, and who has it.
pub(super) struct Tokens {
    oauth: OAuth,
    seats: Seats,
    present: Mutex<Present>,
}

struct Present {
    token: Token,
    since: Instant,
    is_first: bool,
}

impl Present {
    fn life_left(&self) -> Duration {
        self.token.expires_at.duration_since(SystemTime::now()).unwrap_or_default()
    }
}

impl Tokens {
    /// Returns when there is a first token, at the latest after `connect`, and renews it as long as somebody needs it.
    pub(super) fn start(oauth: OAuth, connect: Duration) -> Result<Arc<Self>> {
        let began = Instant::now();
        let mut pause = PAUSE_FIRST;
        let token = loop {
            let NoToken { reason, is_lasting } = match (oauth.source.0)() {
                Ok(token) => break token,
                Err(none) => none,
            };
            if is_lasting || began.elapsed() + pause >= connect {
                return Err(Error::NoToken { reason: reason.into(), advice: ADVICE });
            }
            tracing::warn!("no token for Kafka yet: {reason}; again in {pause:?}");
            std::thread::sleep(pause);
            pause = (pause * 2).min(PAUSE_MAX);
        };
        let tokens = Arc::new(Self {
            oauth,
            seats: Seats::default(),
            present: Mutex::new(Present { token, since: Instant::now(), is_first: true }),
        });
        let weak = Arc::downgrade(&tokens);
        let renewing = std::thread::Builder::new().name("kafka-tokens".to_owned()).spawn(move || renew(&weak));
        renewing.map_err(|error| Error::Other(format!("starting the thread that renews tokens: {error}")))?;
        Ok(tokens)
    }

    /// A client's seat, which stands before the client wherever both are kept.
    pub(super) fn seat(&self, client: *mut rd_kafka_t) -> Result<Seat> {
        let present = lock(&self.present);
        self.seats.take_for(client, &self.proof(&present.token)).map_err(|failure| self.refused(&failure))
    }

    /// Whether a refusal of that moment may have been of the token before, or the present one is over too. Who is really refused
    /// is refused again.
    pub(super) fn is_excused(&self, refused_at: Instant) -> bool {
        let present = lock(&self.present);
        present.life_left().is_zero() || !present.is_first && refused_at < present.since + IN_FLIGHT_MAX
    }

    fn refused(&self, failure: &Failure) -> Error {
        Error::NoToken { reason: format!("Kafka's client does not take the token: {}", failure.text).into(), advice: "" }
    }

    fn proof<'a>(&'a self, token: &'a Token) -> Proof<'a> {
        let expires_at = token.expires_at.duration_since(UNIX_EPOCH).unwrap_or_default();
        Proof {
            token: token.value.reveal(),
            expires_at_ms: i64::try_from(expires_at.as_millis()).unwrap_or(i64::MAX),
            principal: &self.oauth.principal,
            extensions: &self.oauth.extensions,
        }
    }

    fn take(&self, token: Token) -> std::result::Result<(), Failure> {
        let mut present = lock(&self.present);
        *present = Present { token, since: Instant::now(), is_first: false };
        self.seats.give(&self.proof(&present.token))
    }
}

/// Works until nobody needs tokens any more.
fn renew(tokens: &Weak<Tokens>) {
    let mut pause = PAUSE_FIRST;
    let mut again_at = tokens.upgrade().map_or_else(Instant::now, |tokens| due(&lock(&tokens.present)));
    loop {
        std::thread::sleep(LOOK_EVERY);
        let Some(tokens) = tokens.upgrade() else { return };
        if Instant::now() < again_at {
            continue;
        }
        let asked = (tokens.oauth.source.0)();
        let taken = asked.and_then(|token| {
            let refused = |failure: Failure| NoToken { reason: tokens.refused(&failure).to_string(), is_lasting: false };
            tokens.take(token).map_err(refused)
        });
        match taken {
            Ok(()) => {
                pause = PAUSE_FIRST;
                again_at = due(&lock(&tokens.present));
            }
            Err(NoToken { reason, .. }) => {
                let left = lock(&tokens.present).life_left();
                tracing::warn!("the token for Kafka is not renewed: {reason}; it lasts {left:?} yet; again in {pause:?}");
                again_at = Instant::now() + pause;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
}

fn due(present: &Present) -> Instant {
    present.since + present.life_left().mul_f64(RENEWED_AFTER)
}

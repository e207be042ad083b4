//! Connections to the engine, each lent to one request at a time, on blocking threads.
//!
//! A connection keeps its database and settings, so it is kept for requests with the same ones. It is closed instead
//! of kept after anything failed on it, and after a statement that may have changed it (it is tainted then).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::super::ffi::{Connection, Exception, Library};

/// Idle connections kept; opening one takes about 0.3 ms.
const IDLE_MAX: usize = 32;
/// How long a request may wait for its turn.
const TURN_WAIT_MAX: Duration = Duration::from_secs(60);
/// Requests that may wait for their turn.
const WAITING_MAX: usize = 1024;

/// What a connection must be set to before a statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Session {
    /// `None`: the engine's default database.
    pub database: Option<String>,
    /// Names and values, sorted by name.
    pub settings: Vec<(String, String)>,
}

pub(super) struct Pool {
    library: &'static Library,
    arguments: Vec<String>,
    turns: Arc<Semaphore>,
    requests_max: u32,
    waiting: Arc<Semaphore>,
    idle: Mutex<Idle>,
}

struct Idle {
    /// Keeps the engine open while no request runs.
    anchor: Option<Connection>,
    connections: VecDeque<(Session, Connection)>,
}

impl Pool {
    pub fn new(library: &'static Library, arguments: Vec<String>, anchor: Connection, requests_max: usize) -> Arc<Self> {
        let requests_max = u32::try_from(requests_max.max(1)).unwrap_or(u32::MAX);
        Arc::new(Self {
            library,
            arguments,
            turns: Arc::new(Semaphore::new(requests_max as usize)),
            requests_max,
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
            idle: Mutex::new(Idle { anchor: Some(anchor), connections: VecDeque::new() }),
        })
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` on a blocking thread with a connection set to `session`.
    pub async fn run<R: Send + 'static>(
        self: &Arc<Self>,
        session: Session,
        work: impl FnOnce(&mut Connection) -> Result<R, Exception> + Send + 'static,
    ) -> Result<R, Exception> {
        let too_many = |what: &str| Exception::new(202, "TOO_MANY_SIMULTANEOUS_QUERIES", what);
        let waiting = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| too_many("too many requests wait for their turn"))?;
        let turn = tokio::time::timeout(TURN_WAIT_MAX, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn
            .map_err(|_| too_many(&format!("no turn within {} s", TURN_WAIT_MAX.as_secs())))?
            .map_err(|_| Exception::new(236, "ABORTED", "the engine is stopping"))?;
        drop(waiting);
        let pool = Arc::clone(self);
        let task = tokio::task::spawn_blocking(move || {
            let result = pool.run_here(session, work);
            // Only now, the connection being closed or back.
            drop(turn);
            result
        });
        task.await.unwrap_or_else(|error| Err(Exception::new(49, "LOGICAL_ERROR", format!("the request's thread failed: {error}"))))
    }

    fn run_here<R>(&self, session: Session, work: impl FnOnce(&mut Connection) -> Result<R, Exception>) -> Result<R, Exception> {
        let mut connection = match self.take_idle(&session) {
            Some(connection) => connection,
            None => self.open(&session)?,
        };
        let result = work(&mut connection);
        if result.is_ok() && !connection.is_tainted() {
            self.give_back(session, connection);
        }
        result
    }

    fn take_idle(&self, session: &Session) -> Option<Connection> {
        let mut idle = self.idle();
        let at = idle.connections.iter().rposition(|(of, _)| of == session)?;
        idle.connections.remove(at).map(|(_, connection)| connection)
    }

    fn give_back(&self, session: Session, connection: Connection) {
        let evicted = {
            let mut idle = self.idle();
            if idle.anchor.is_none() {
                Some((session, connection))
            } else {
                idle.connections.push_back((session, connection));
                if idle.connections.len() > IDLE_MAX { idle.connections.pop_front() } else { None }
            }
        };
        // Closed outside the lock.
        drop(evicted);
    }

    fn open(&self, session: &Session) -> Result<Connection, Exception> {
        let mut connection =
            self.library.connect(&self.arguments).ok_or_else(|| Exception::new(210, "NETWORK_ERROR", "the engine opened no connection"))?;
        if let Some(database) = &session.database {
            connection.query(format!("USE {}", quoted(database, '`')).as_bytes(), "Null", &[])?;
        }
        if !session.settings.is_empty() {
            let list: Vec<String> =
                session.settings.iter().map(|(name, value)| format!("{} = {}", quoted(name, '`'), quoted(value, '\''))).collect();
            connection.query(format!("SET {}", list.join(", ")).as_bytes(), "Null", &[])?;
        }
        Ok(connection)
    }

    /// Waits for the running requests, then closes every connection. Nothing runs afterwards.
    pub async fn close(&self) {
        let all = self.turns.acquire_many(self.requests_max).await;
        self.turns.close();
        drop(all);
        let (anchor, connections) = {
            let mut idle = self.idle();
            (idle.anchor.take(), std::mem::take(&mut idle.connections))
        };
        drop(connections);
        drop(anchor);
    }
}

/// A name or a text as SQL wants it.
fn quoted(text: &str, quote: char) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push(quote);
    for character in text.chars() {
        if character == quote || character == '\\' {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push(quote);
    quoted
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn quotes_cannot_be_left() {
        assert_eq!(quoted("a'b", '\''), r"'a\'b'");
        assert_eq!(quoted(r"a\'; DROP", '\''), r"'a\\\'; DROP'");
        assert_eq!(quoted("data`base", '`'), r"`data\`base`");
    }
}

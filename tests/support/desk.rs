//! A safety desk of the tests' own: a webhook receiver that writes down what it is told, and when.

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

/// One request.
#[derive(Clone, Debug)]
pub struct Told {
    pub at: SystemTime,
    /// The idempotency key.
    pub webhook_id: String,
    pub body: Value,
}

impl Told {
    pub fn alert_id(&self) -> &str {
        self.body["alert_id"].as_str().unwrap_or_default()
    }
    pub fn state(&self) -> &str {
        self.body["state"].as_str().unwrap_or_default()
    }
    pub fn step(&self) -> &str {
        self.body["step"].as_str().unwrap_or_default()
    }
}

/// Answers every request with 200.
pub struct SafetyDesk {
    pub url: String,
    told: Arc<Mutex<Vec<Told>>>,
}

impl SafetyDesk {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/alerts", listener.local_addr().unwrap());
        let told: Arc<Mutex<Vec<Told>>> = Arc::default();
        let book = Arc::clone(&told);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let book = Arc::clone(&book);
                std::thread::spawn(move || serve(stream, &book));
            }
        });
        Self { url, told }
    }

    pub fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }
}

/// Requests of one connection, until it closes or breaks.
fn serve(stream: TcpStream, book: &Mutex<Vec<Told>>) {
    _ = stream.set_nodelay(true);
    let Ok(mut answers) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    loop {
        let (mut length, mut webhook_id, mut line) = (0, String::new(), String::new());
        loop {
            line.clear();
            if !matches!(reader.read_line(&mut line), Ok(1..)) {
                return;
            }
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                if line.trim_end().is_empty() {
                    break;
                }
                continue;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap_or(0),
                "webhook-id" => webhook_id = value.to_owned(),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        // Written down before it is acknowledged: whoever dies in between is told again.
        let told = Told { at: SystemTime::now(), webhook_id, body: serde_json::from_slice(&body).unwrap_or_default() };
        book.lock().unwrap().push(told);
        if answers.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_err() {
            return;
        }
    }
}

//! A receiver of the tests' own: HTTP by hand, so that it can misbehave to order.

use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What it does with a request.
#[derive(Clone, Debug)]
pub enum Answer {
    Status(u16),
    With(u16, &'static str),
    /// Answers well, after this long.
    Slow(Duration),
    /// Takes the request and says nothing.
    Hang,
    /// Closes without a word.
    Close,
    /// Says that all is well and breaks off in the middle of it.
    BreakOff,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Received {
    pub headers: BTreeMap<String, String>,
    pub body: String,
    pub at: Instant,
    /// What was answered, to the end.
    pub is_taken: bool,
    /// Requests of the same key that were under way, this one included.
    pub at_once: usize,
}

impl Received {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// `alert_id:notification`
    pub fn key(&self) -> String {
        self.headers.get("webhook-id").cloned().unwrap_or_default()
    }
}

type Behaviour = dyn Fn(&Received, usize) -> Answer + Send + Sync;

struct Shared {
    received: Mutex<Vec<Received>>,
    under_way: Mutex<BTreeMap<String, usize>>,
    behaviour: Box<Behaviour>,
    is_over: AtomicBool,
}

/// A server on a free port, a thread for each connection, until it is dropped.
pub struct Receiver {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl Receiver {
    /// `behaviour` sees a request and how many came before it.
    pub fn start(behaviour: impl Fn(&Received, usize) -> Answer + Send + Sync + 'static) -> Self {
        let shared = Shared {
            received: Mutex::default(),
            under_way: Mutex::default(),
            behaviour: Box::new(behaviour),
            is_over: AtomicBool::default(),
        };
        let shared = Arc::new(shared);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let of = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if of.is_over.load(Ordering::Relaxed) {
                    return;
                }
                let of = Arc::clone(&of);
                std::thread::spawn(move || serve(stream.unwrap(), &of));
            }
        });
        Self { address, shared }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    /// How often each key was taken.
    pub fn taken(&self) -> BTreeMap<String, usize> {
        let mut taken = BTreeMap::new();
        for received in self.received().iter().filter(|received| received.is_taken) {
            *taken.entry(received.key()).or_default() += 1;
        }
        taken
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // The listener looks up.
        _ = TcpStream::connect(self.address);
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) {
    let mut bytes = Vec::new();
    loop {
        let head_end = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            if !read_more(&mut stream, &mut bytes) {
                return;
            }
        };
        let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
        let mut lines = head.lines();
        let request = lines.next().unwrap();
        assert!(request.starts_with("POST /") || request.starts_with("GET /"), "{head}");
        let headers: BTreeMap<String, String> =
            lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        while bytes.len() < head_end + 4 + length {
            if !read_more(&mut stream, &mut bytes) {
                return;
            }
        }
        let body = String::from_utf8(bytes[head_end + 4..head_end + 4 + length].to_vec()).unwrap();
        bytes.drain(..head_end + 4 + length);
        let mut received = Received { headers, body, at: Instant::now(), is_taken: false, at_once: 0 };
        let subject = received.key().rsplit_once(':').map(|(alert, _)| alert.to_owned()).unwrap_or_default();
        let number = {
            let mut under_way = shared.under_way.lock().unwrap();
            let at_once = under_way.entry(subject.clone()).or_default();
            *at_once += 1;
            received.at_once = *at_once;
            let mut all = shared.received.lock().unwrap();
            all.push(received.clone());
            all.len() - 1
        };
        let goes_on = answer(&mut stream, (shared.behaviour)(&received, number), shared, number);
        *shared.under_way.lock().unwrap().get_mut(&subject).unwrap() -= 1;
        if !goes_on {
            return;
        }
    }
}

fn read_more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> bool {
    let mut piece = [0; 4096];
    let read = stream.read(&mut piece).unwrap_or(0);
    bytes.extend_from_slice(&piece[..read]);
    read > 0
}

fn answer(stream: &mut TcpStream, answer: Answer, shared: &Shared, number: usize) -> bool {
    let (status, header) = match answer {
        Answer::Status(status) => (status, ""),
        Answer::With(status, header) => (status, header),
        Answer::Slow(wait) => {
            std::thread::sleep(wait);
            (200, "")
        }
        Answer::Hang => {
            // Until the other side closes.
            let mut rest = [0; 64];
            while !matches!(stream.read(&mut rest), Ok(0) | Err(_)) {}
            return false;
        }
        Answer::Close => return false,
        Answer::BreakOff => {
            _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nall is");
            return false;
        }
    };
    if (200..300).contains(&status) {
        shared.received.lock().unwrap()[number].is_taken = true;
    }
    let text = format!("HTTP/1.1 {status} As Ordered\r\n{header}Content-Length: 2\r\n\r\nok");
    stream.write_all(text.as_bytes()).is_ok()
}

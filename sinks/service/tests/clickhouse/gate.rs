//! A door before the database: while it is shut everything that is asked arrives there, and no answer comes back.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::spawn;

pub struct Gate {
    pub url: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    shut: AtomicBool,
    /// Answers that wait behind the door.
    waiting: AtomicU32,
    opened: (Mutex<()>, Condvar),
}

impl Gate {
    /// In front of an `http://host:port`.
    pub fn before(url: &str) -> Self {
        let behind = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::<State>::default();
        let shared = Arc::clone(&state);
        spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(&behind) else { continue };
                let (mut asks, mut hears) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                spawn(move || {
                    _ = std::io::copy(&mut asks, &mut hears);
                    _ = hears.shutdown(std::net::Shutdown::Write);
                });
                let state = Arc::clone(&shared);
                spawn(move || state.answers(server, client));
            }
        });
        Self { url, state }
    }

    pub fn shut(&self) {
        self.state.shut.store(true, Ordering::SeqCst);
    }

    pub fn open(&self) {
        let _held = self.state.opened.0.lock().unwrap();
        self.state.shut.store(false, Ordering::SeqCst);
        self.state.opened.1.notify_all();
    }

    /// Whether the database has answered, and nobody knows.
    pub fn holds_an_answer(&self) -> bool {
        self.state.waiting.load(Ordering::SeqCst) > 0
    }
}

impl State {
    fn answers(&self, mut server: TcpStream, mut client: TcpStream) {
        let mut piece = [0; 16 << 10];
        while let Ok(count @ 1..) = server.read(&mut piece) {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            let mut held = self.opened.0.lock().unwrap();
            while self.shut.load(Ordering::SeqCst) {
                held = self.opened.1.wait(held).unwrap();
            }
            drop(held);
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            if client.write_all(&piece[..count]).is_err() {
                break;
            }
        }
        _ = client.shutdown(std::net::Shutdown::Both);
    }
}

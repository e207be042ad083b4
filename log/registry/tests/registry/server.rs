//! A schema registry small enough to read, which can be told to misbehave.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How requests are answered.
#[derive(Clone, Debug, Default)]
pub enum Mood {
    #[default]
    Well,
    /// With this status and body.
    Says(u16, String),
    /// As it should, so much later.
    Late(Duration),
    /// Half of an answer, then the end of the connection.
    Torn,
    /// Nothing at all, then the end of the connection.
    Mute,
    /// Without end.
    Endless,
}

#[derive(Debug, Default)]
pub struct Model {
    pub mood: Mood,
    /// The texts, by id.
    pub schemas: BTreeMap<u32, String>,
    pub subjects: BTreeMap<String, Vec<u32>>,
    pub rules: BTreeMap<String, String>,
    /// The header that is demanded.
    pub authorization: Option<String>,
    /// New schemas get this id, where it is set.
    pub stuck_at: Option<u32>,
    /// Ids that it has, and does not tell about so many more times.
    pub lagging: BTreeMap<u32, usize>,
    pub asked: Vec<String>,
}

/// The registry at work; it ends with the test's process.
pub struct Server {
    pub address: SocketAddr,
    pub model: Arc<Mutex<Model>>,
}

impl Server {
    pub fn start(model: Model) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let model = Arc::new(Mutex::new(model));
        let shared = Arc::clone(&model);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let model = Arc::clone(&shared);
                // A client that leaves early ends its own thread.
                std::thread::spawn(move || drop(serve(stream, &model)));
            }
        });
        Self { address, model }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn change<T>(&self, change: impl FnOnce(&mut Model) -> T) -> T {
        change(&mut self.model.lock().unwrap())
    }

    /// How often requests that begin so were made.
    pub fn asked(&self, start: &str) -> usize {
        self.change(|model| model.asked.iter().filter(|request| request.starts_with(start)).count())
    }
}

fn serve(mut stream: TcpStream, model: &Mutex<Model>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let (request, _) = line.rsplit_once(' ').unwrap();
    let request = request.to_owned();
    let (mut length, mut authorization) = (0, None);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "authorization" => authorization = Some(value.to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;

    let (mood, (status, answer)) = {
        let mut model = model.lock().unwrap();
        model.asked.push(request.clone());
        let may = model.authorization.is_none() || model.authorization == authorization;
        let body = serde_json::from_slice(&body).unwrap_or_default();
        (model.mood.clone(), if may { model.answer(&request, &body) } else { failure(401, 40101) })
    };
    match mood {
        Mood::Well => reply(&mut stream, status, &answer),
        Mood::Says(status, body) => reply(&mut stream, status, &body),
        Mood::Late(wait) => {
            std::thread::sleep(wait);
            reply(&mut stream, status, &answer)
        }
        Mood::Torn => write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{{\"sch", answer.len()),
        Mood::Mute => Ok(()),
        Mood::Endless => {
            write!(stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
            loop {
                write!(stream, "10000\r\n{}\r\n", " ".repeat(0x10000))?;
            }
        }
    }
}

fn reply(stream: &mut TcpStream, status: u16, body: &str) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {status} Whatever\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn failure(status: u16, code: u32) -> (u16, String) {
    (status, json!({ "error_code": code, "message": "in words" }).to_string())
}

impl Model {
    fn answer(&mut self, request: &str, body: &Value) -> (u16, String) {
        let (method, path) = request.split_once(" /").unwrap();
        let text = body["schema"].as_str().unwrap_or_default().to_owned();
        match (method, path.split('/').collect::<Vec<_>>().as_slice()) {
            ("GET", ["schemas", "ids", id]) => {
                let id = id.parse().unwrap();
                if let Some(left) = self.lagging.get_mut(&id).filter(|left| **left > 0) {
                    *left -= 1;
                    return failure(404, 40403);
                }
                self.schemas.get(&id).map_or(failure(404, 40403), |schema| (200, json!({ "schema": schema }).to_string()))
            }
            ("POST", ["subjects", subject]) => match self.subjects.get(*subject) {
                None => failure(404, 40401),
                Some(ids) => ids.iter().find(|id| self.schemas[*id] == text).map_or(failure(404, 40403), |id| {
                    (200, json!({ "subject": subject, "id": id, "version": 1, "schema": text }).to_string())
                }),
            },
            ("POST", ["subjects", subject, "versions"]) => {
                let next = self.stuck_at.unwrap_or(self.schemas.len() as u32 + 1);
                let id = self.schemas.iter().find(|(_, known)| **known == text).map_or(next, |(id, _)| *id);
                self.schemas.entry(id).or_insert(text);
                self.subjects.entry((*subject).to_owned()).or_default().push(id);
                (200, json!({ "id": id }).to_string())
            }
            ("GET", ["config", subject]) => {
                self.rules.get(*subject).map_or(failure(404, 40408), |rule| (200, json!({ "compatibilityLevel": rule }).to_string()))
            }
            ("PUT", ["config", subject]) => {
                let rule = body["compatibility"].as_str().unwrap().to_owned();
                self.rules.insert((*subject).to_owned(), rule);
                (200, body.to_string())
            }
            _ => (404, "no such page".to_owned()),
        }
    }
}

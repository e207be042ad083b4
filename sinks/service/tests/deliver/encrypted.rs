//! HTTPS: whom a receiver's connection believes. The certificates beside this file are the tests' own and protect nothing.

use crate::bench::{Running, alert, append_alerts, config, deliveries, key, log, wait_until, webhook};
use fieldline_schemas::Topic;
use fieldline_schemas::alerts::{DeliveryOutcome, FlagCode};
use fieldline_sinks::deliver::{Channel, Encryption, Endpoint, Hidden, Mailbox, Receiver, Style, check};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/deliver/tls").join(name)
}

/// What a server of the tests shows.
fn certified() -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificates = vec![CertificateDer::from_pem_file(file("server.pem")).unwrap()];
    let settings = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, PrivateKeyDer::from_pem_file(file("server.key.pem")).unwrap())
        .unwrap();
    Arc::new(settings)
}

/// Answers each request with 200, one to a connection; hands over its text.
fn server() -> (u16, mpsc::Receiver<String>) {
    let settings = certified();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&settings)).unwrap(), stream.unwrap());
            let (mut request, mut piece) = (Vec::new(), [0; 4096]);
            // The body is JSON, and so ends with a brace.
            while !request.ends_with(b"}") {
                match stream.read(&mut piece) {
                    Ok(read) if read > 0 => request.extend_from_slice(&piece[..read]),
                    // A client that does not believe us leaves.
                    _ => break,
                }
            }
            if request.ends_with(b"}") {
                _ = tell.send(String::from_utf8(request).unwrap());
                _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                stream.conn.send_close_notify();
                _ = stream.flush();
            }
        }
    });
    (port, requests)
}

fn https(name: &str, port: u16, ca_file: Option<PathBuf>) -> Receiver {
    let url = Hidden(format!("https://127.0.0.1:{port}/hook"));
    Receiver { channel: Channel::Webhook { endpoint: Endpoint { url, ca_file }, style: Style::Json, secret: None }, ..webhook(name, "") }
}

#[test]
fn an_encrypted_receiver_is_believed_by_its_authority_only() {
    let (log, (port, requests)) = (log(), server());
    let receivers = vec![https("trusting", port, Some(file("authority.pem"))), https("public", port, None)];
    let running = Running::start(config(receivers), log.clone());
    let sent = alert(1, FlagCode::S1, 1);
    append_alerts(log.as_ref(), [sent.clone()]);
    let records =
        |receiver: &str| deliveries(log.as_ref(), Topic::Deliveries).into_iter().filter(|d| d.receiver == receiver).collect::<Vec<_>>();
    wait_until("one is told", || records("trusting").iter().any(|record| record.outcome == DeliveryOutcome::Acknowledged));
    wait_until("the other has tried", || records("public").len() > 2);
    running.end().unwrap();
    assert!(requests.recv().unwrap().contains(&format!("webhook-id: {}", key(&sent))));
    assert!(requests.try_recv().is_err(), "nothing is said to a server that is not believed");
    let refused = records("public");
    // It passes: certificates are renewed, and an emergency is told when they are.
    assert!(refused.iter().all(|record| record.outcome == DeliveryOutcome::Failed && record.detail.contains("certificate")), "{refused:?}");
}

#[test]
fn a_file_without_authorities_is_refused_before_anything_runs() {
    let error = check(&https("desk", 1, Some(file("server.key.pem")))).unwrap_err().to_string();
    assert!(error.contains("receiver desk") && error.contains("it holds none"), "{error}");
}

/// Lines of a mail server: what it is told, until QUIT or the end; the text of a mail is handed over. True: STARTTLS was asked.
fn talk(stream: &mut (impl Read + Write), is_encrypted: bool, offers: bool, tell: &mpsc::Sender<String>) -> bool {
    let say = |stream: &mut dyn Write, text: &str| drop(stream.write_all(format!("{text}\r\n").as_bytes()));
    let (mut heard, mut byte, mut mail) = (Vec::new(), [0], None::<String>);
    while matches!(stream.read(&mut byte), Ok(1)) {
        heard.push(byte[0]);
        if !heard.ends_with(b"\r\n") {
            continue;
        }
        let line = String::from_utf8(std::mem::take(&mut heard)).unwrap();
        match (&mut mail, line.trim_end()) {
            (Some(text), ".") => {
                _ = tell.send(format!("encrypted: {is_encrypted}\n{text}"));
                mail = None;
                say(stream, "250 taken");
            }
            (Some(text), _) => text.push_str(&line),
            (None, "DATA") => {
                mail = Some(String::new());
                say(stream, "354 go on");
            }
            (None, "STARTTLS") => {
                say(stream, "220 go on");
                return true;
            }
            (None, "QUIT") => return false,
            (None, line) if line.starts_with("EHLO") && offers && !is_encrypted => say(stream, "250-here\r\n250 STARTTLS"),
            (None, _) => say(stream, "250 well"),
        }
    }
    false
}

/// A mail server that may offer STARTTLS; hands over each mail.
fn mail_server(offers: bool) -> (u16, mpsc::Receiver<String>) {
    let settings = certified();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, mails) = mpsc::channel();
    let serve = move |mut stream: TcpStream| {
        _ = stream.write_all(b"220 here\r\n");
        if talk(&mut stream, false, offers, &tell) {
            let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&settings)).unwrap(), stream);
            talk(&mut stream, true, offers, &tell);
        }
    };
    std::thread::spawn(move || listener.incoming().for_each(|stream| serve(stream.unwrap())));
    (port, mails)
}

/// STARTTLS is demanded, of a server whose authority is believed.
#[test]
fn mail_goes_encrypted_or_not_at_all() {
    for (offers, ca_file, goes) in
        [(true, Some(file("authority.pem")), true), (true, None, false), (false, Some(file("authority.pem")), false)]
    {
        let (log, (port, mails)) = (log(), mail_server(offers));
        let mailbox = Mailbox {
            host: "127.0.0.1".to_owned(),
            port,
            encryption: Encryption::StartTls,
            ca_file,
            login: None,
            from: "fieldline@example.org".to_owned(),
            to: vec!["desk@example.org".to_owned()],
        };
        let running = Running::start(config(vec![Receiver::new("mail", Channel::Mail(mailbox))]), log.clone());
        append_alerts(log.as_ref(), [alert(1, FlagCode::S1, 1)]);
        let records = || deliveries(log.as_ref(), Topic::Deliveries);
        wait_until("it is tried", || !records().is_empty());
        running.end().unwrap();
        let is_taken = records().iter().any(|record| record.outcome == DeliveryOutcome::Acknowledged);
        let mail = mails.try_recv().ok();
        assert_eq!((is_taken, mail.is_some()), (goes, goes), "offers {offers}: {:?}", records());
        assert!(mail.is_none_or(|mail| mail.starts_with("encrypted: true") && mail.contains("emergency stop")));
    }
}

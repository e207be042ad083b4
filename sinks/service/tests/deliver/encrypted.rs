//! HTTPS: whom a receiver's connection believes. The certificates beside this file are the tests' own and protect nothing.

use crate::bench::{Running, alert, append_alerts, config, deliveries, key, log, wait_until, webhook};
use fieldline_schemas::Topic;
use fieldline_schemas::alerts::{DeliveryOutcome, FlagCode};
use fieldline_sinks::deliver::{Channel, Endpoint, Hidden, Receiver, Style, check};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/deliver/tls").join(name)
}

/// Answers each request with 200, one to a connection; hands over its text.
fn server() -> (u16, mpsc::Receiver<String>) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificates = vec![CertificateDer::from_pem_file(file("server.pem")).unwrap()];
    let settings = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, PrivateKeyDer::from_pem_file(file("server.key.pem")).unwrap())
        .unwrap();
    let settings = Arc::new(settings);
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

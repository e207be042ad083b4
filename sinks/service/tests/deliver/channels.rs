//! Each channel against a server of the tests' own.

use crate::bench::{Running, alert, append_alerts, config, deliveries, log, resolved, wait_until, webhook};
use crate::receiver::{Answer, Receiver as Server};
use base64::Engine;
use fieldline_schemas::Topic;
use fieldline_schemas::alerts::{AlertState, DeliveryOutcome, FlagCode};
use fieldline_sinks::deliver::{Channel, Encryption, Endpoint, Hidden, Mailbox, Receiver, SigningSecret, Style, Template};
use sha2::{Digest, Sha256};
use std::io::{BufRead, BufReader, Write};
use std::sync::mpsc;

/// HMAC by the book (RFC 2104), from nothing but the hash.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let padded = |byte: u8| (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ byte).collect::<Vec<u8>>();
    let inner = Sha256::digest([&padded(0x36)[..], message].concat());
    Sha256::digest([&padded(0x5c)[..], &inner[..]].concat()).to_vec()
}

#[test]
fn a_webhook_is_signed_and_versioned() {
    let (log, server) = (log(), Server::start(|_, _| Answer::Status(200)));
    let key = [7; 32];
    let secret = format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode(key));
    let mut receiver = webhook("desk", &server.url());
    let secret = Some(SigningSecret::parse(&secret).unwrap());
    receiver.channel = Channel::Webhook { endpoint: Endpoint::new(&server.url()), style: Style::Json, secret };
    let running = Running::start(config(vec![receiver]), log.clone());
    append_alerts(log.as_ref(), [alert(1, FlagCode::S1, 3)]);
    wait_until("it is sent", || server.taken().len() == 1);
    running.end().unwrap();
    let received = &server.received()[0];
    let header = |name: &str| received.headers[name].clone();
    let sent = alert(1, FlagCode::S1, 3);
    assert_eq!(header("webhook-id"), format!("{}:3", sent.alert_id));
    let signed = format!("{}.{}.{}", header("webhook-id"), header("webhook-timestamp"), received.body);
    let expect = base64::engine::general_purpose::STANDARD.encode(hmac(&key, signed.as_bytes()));
    assert_eq!(header("webhook-signature"), format!("v1,{expect}"));
    let age = crate::bench::now().0 / 1_000_000 - header("webhook-timestamp").parse::<i64>().unwrap();
    assert!((0..60).contains(&age), "{age}");
    let body = received.json();
    assert_eq!((body["version"].as_u64(), body["notification"].as_u64()), (Some(1), Some(3)));
    assert_eq!((body["alert_id"].as_str(), body["reasoning"].as_str()), (Some(&*sent.alert_id), Some(&*sent.reasoning)));
    assert_eq!(received.headers["content-type"], "application/json");
}

#[test]
fn texts_of_ones_own_slack_and_teams() {
    let (log, server) = (log(), Server::start(|_, _| Answer::Status(200)));
    let template = Template::parse(r#"{"what": "{{flag}} {{state}}", "why": "{{reasoning}}", "n": {{notification}}}"#).unwrap();
    let channel = |style| Channel::Webhook { endpoint: Endpoint::new(&server.url()), style, secret: None };
    let receivers = vec![
        Receiver::new("own", channel(Style::Template(template))),
        Receiver::new("slack", channel(Style::Slack)),
        Receiver::new("teams", channel(Style::Teams)),
    ];
    let running = Running::start(config(receivers), log.clone());
    append_alerts(log.as_ref(), [alert(1, FlagCode::S5, 1)]);
    wait_until("all are sent", || server.received().len() == 3);
    running.end().unwrap();
    let bodies: Vec<_> = server.received().iter().map(|received| received.json()).collect();
    let own = bodies.iter().find(|body| body.get("what").is_some()).unwrap();
    let expect = serde_json::json!({"what": "S5 opened", "why": "open since 08:00, last event \"left_site\" 16:40", "n": 1});
    assert_eq!(*own, expect);
    assert!(bodies.iter().any(|body| body["text"].as_str().is_some_and(|text| text.contains("shift end missing"))));
    assert!(bodies.iter().any(|body| body["attachments"][0]["content"]["type"] == "AdaptiveCard"));
    let mut channels: Vec<_> = deliveries(log.as_ref(), Topic::Deliveries).iter().map(|d| d.channel.to_string()).collect();
    channels.sort();
    assert_eq!(channels, ["slack", "teams", "webhook"]);
}

#[test]
fn pagerduty_is_triggered_acknowledged_and_resolved() {
    let (log, server) = (log(), Server::start(|_, _| Answer::Status(202)));
    let channel = Channel::PagerDuty { endpoint: Endpoint::new(&server.url()), routing_key: Hidden("R0UTE".to_owned()) };
    let running = Running::start(config(vec![Receiver::new("pager", channel)]), log.clone());
    let mut seen = life();
    while let Some((record, count)) = seen.pop() {
        append_alerts(log.as_ref(), [record]);
        wait_until("it is sent", || server.received().len() == count);
    }
    running.end().unwrap();
    let events: Vec<_> = server.received().iter().map(|received| received.json()).collect();
    let actions: Vec<_> = events.iter().map(|event| event["event_action"].as_str().unwrap().to_owned()).collect();
    assert_eq!(actions, ["trigger", "acknowledge", "resolve"]);
    let id = alert(1, FlagCode::S1, 1).alert_id.into_owned();
    assert!(events.iter().all(|event| event["dedup_key"] == id.as_str() && event["routing_key"] == "R0UTE"));
}

/// The life of an alert, last step first.
fn life() -> Vec<(fieldline_schemas::alerts::Alert<'static>, usize)> {
    let mut acknowledged = alert(1, FlagCode::S1, 2);
    acknowledged.state = AlertState::Acknowledged;
    vec![(resolved(alert(1, FlagCode::S1, 3)), 3), (acknowledged, 2), (alert(1, FlagCode::S1, 1), 1)]
}

/// A mail server of a few lines; hands over each mail, refuses the first with a passing answer.
fn mail_server() -> (u16, mpsc::Receiver<String>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, mails) = mpsc::channel();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let mut say = |text: &str| stream.write_all(format!("{text}\r\n").as_bytes()).is_ok();
            say("220 here");
            let mut mail = String::new();
            while let Some(Ok(line)) = lines.next() {
                match line.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
                    "RCPT" if number == 0 => drop(say("451 later")),
                    "DATA" => {
                        say("354 go on");
                        while let Some(Ok(line)) = lines.next().filter(|line| line.as_ref().is_ok_and(|line| line != ".")) {
                            mail.push_str(&line);
                            mail.push('\n');
                        }
                        tell.send(std::mem::take(&mut mail)).unwrap();
                        say("250 taken");
                    }
                    "QUIT" => break,
                    _ => drop(say("250 well")),
                }
            }
        }
    });
    (port, mails)
}

#[test]
fn mail_is_sent_and_tried_again() {
    let (log, (port, mails)) = (log(), mail_server());
    let mailbox = Mailbox {
        host: "127.0.0.1".to_owned(),
        port,
        encryption: Encryption::Plain,
        ca_file: None,
        login: None,
        from: "fieldline@example.org".to_owned(),
        to: vec!["desk@example.org".to_owned()],
    };
    let running = Running::start(config(vec![Receiver::new("mail", Channel::Mail(mailbox))]), log.clone());
    append_alerts(log.as_ref(), [alert(1, FlagCode::S1, 1)]);
    let mail = mails.recv_timeout(crate::bench::WAIT_MAX).unwrap();
    wait_until("it is recorded", || deliveries(log.as_ref(), Topic::AlertEvents).len() == 1);
    running.end().unwrap();
    assert!(mail.contains("Subject: [critical] S1 emergency stop of"), "{mail}");
    assert!(mail.contains("To: desk@example.org") && mail.contains("left_site"), "{mail}");
    let records = deliveries(log.as_ref(), Topic::Deliveries);
    let outcomes: Vec<_> = records.iter().map(|record| (record.attempt, record.outcome, record.status)).collect();
    assert_eq!(outcomes, [(1, DeliveryOutcome::Failed, Some(451)), (2, DeliveryOutcome::Acknowledged, Some(250))]);
}

#[test]
fn the_terminal_needs_nothing() {
    let log = log();
    let running = Running::start(config(vec![Receiver::terminal()]), log.clone());
    append_alerts(log.as_ref(), [alert(1, FlagCode::S1, 1)]);
    wait_until("it is recorded", || deliveries(log.as_ref(), Topic::AlertEvents).len() == 1);
    running.end().unwrap();
}

//! Brokers that ask who it is, and do not let everybody do everything.

use crate::{DEADLINE, Member, append, at, config, make_topic, name, open, record, until};
use fieldline_log::kafka::{KafkaConfig, KafkaLog, Mechanism, Sasl, Secret};
use fieldline_log::{Error, Log, TopicSpec};
use fieldline_test_kafka::{Kafka, KafkaOptions};
use std::time::{Duration, Instant};

fn user(kafka: &Kafka, username: &str, password: &str) -> KafkaConfig {
    let sasl = Sasl { mechanism: Mechanism::Plain, username: username.to_owned(), password: Secret::new(password) };
    KafkaConfig { sasl: Some(sasl), ..config(kafka.sasl_bootstrap()) }
}

#[test]
fn names_passwords_and_rights() {
    let users = [("admin", "admin-pw"), ("guest", "guest-pw")].map(|(user, password)| (user.to_owned(), password.to_owned()));
    let Some(kafka) = Kafka::start_or_leave_out(KafkaOptions { users: users.to_vec(), ..KafkaOptions::default() }) else { return };

    let admin = open(user(&kafka, "admin", "admin-pw"));
    let topic = make_topic(&*admin, 1);
    append(&*admin, &at(&topic, 0), 0..5);
    let mut member = Member::join(&*admin, &name("group"), &topic);
    member.until_seen(&at(&topic, 0), 5);
    member.commit_at(&at(&topic, 0)).unwrap();

    // A wrong password is told at once, and not shown.
    let asked_at = Instant::now();
    let refused = KafkaLog::open(user(&kafka, "admin", "hunter2")).map(|_| ()).unwrap_err();
    let text = refused.to_string();
    assert!(matches!(refused, Error::Kafka { .. }) && text.contains("check user, password"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    assert!(asked_at.elapsed() < Duration::from_secs(15), "{:?}", asked_at.elapsed());

    // Whoever may nothing is told what to grant, and nothing is tried for ever.
    let guest = open(user(&kafka, "guest", "guest-pw"));
    let refusals = [
        guest.watermarks(&at(&topic, 0)).map(|_| ()),
        guest.describe_topic(&topic).map(|_| ()),
        guest.committed("fieldline", &at(&topic, 0)).map(|_| ()),
        guest.ensure_topic(&TopicSpec { name: name("topic"), partitions: 1, retention: None, compacted: false }).map(|_| ()),
        guest.producer().unwrap().append(&topic, record(0, b"")).map(|_| ()),
    ];
    for refused in refusals {
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("grant this user"), "{text}");
    }

    // Rights on the topic, and not on the group.
    let acls = ["--add", "--allow-principal", "User:guest", "--operation", "All", "--topic", &topic, "--force"];
    kafka.tool("org.apache.kafka.tools.AclCommand", &acls);
    let group = name("group");
    let mut error = None;
    let mut consumer = None;
    until("the right arrives, and the group's absence is told", || {
        if consumer.is_none() {
            consumer = guest.consumer(&group, &[&topic]).ok();
        }
        error = consumer.as_mut().and_then(|consumer| consumer.poll(Duration::from_millis(20), 1).err());
        error.is_some()
    });
    let text = error.unwrap().to_string();
    assert!(text.contains("on the group") && text.contains(&group), "{text}");
    let mut producer = guest.producer().unwrap();
    producer.append(&topic, record(0, &7u32.to_be_bytes())).unwrap();
    producer.flush(DEADLINE).unwrap();
}

#[cfg(feature = "tls")]
mod with_openssl {
    use super::*;
    use base64::Engine as _;
    use fieldline_log::kafka::{NoToken, OAuth, Timeouts, Tls, Token, TokenSource};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{SystemTime, UNIX_EPOCH};

    #[test]
    fn encryption_with_a_certificate_that_is_believed_or_not() {
        let Some(kafka) = Kafka::start_or_leave_out(KafkaOptions { tls: true, ..KafkaOptions::default() }) else { return };
        let tls = Tls { ca_file: Some(kafka.certificate_file()), ..Tls::default() };
        let log = open(KafkaConfig { tls: Some(tls), ..config(kafka.tls_bootstrap()) });
        let topic = make_topic(&*log, 1);
        append(&*log, &at(&topic, 0), 0..5);
        let mut member = Member::join(&*log, &name("group"), &topic);
        member.until_seen(&at(&topic, 0), 5);

        let timeouts = Timeouts { connect: Duration::from_secs(3), ..Timeouts::default() };
        let stranger = KafkaConfig { tls: Some(Tls::default()), timeouts, ..config(kafka.tls_bootstrap()) };
        let text = KafkaLog::open(stranger).map(|_| ()).unwrap_err().to_string();
        assert!(text.contains("certificate"), "{text}");
    }

    #[test]
    fn scram_with_a_right_and_a_wrong_password() {
        let users = vec![("admin".to_owned(), "admin-pw".to_owned())];
        let Some(kafka) = Kafka::start_or_leave_out(KafkaOptions { users, ..KafkaOptions::default() }) else { return };
        for (mechanism, setting) in [(Mechanism::ScramSha256, "SCRAM-SHA-256"), (Mechanism::ScramSha512, "SCRAM-SHA-512")] {
            let password = format!("{setting}=[password=sesame]");
            kafka.tool(
                "kafka.admin.ConfigCommand",
                &["--alter", "--entity-type", "users", "--entity-name", "admin", "--add-config", &password],
            );
            let user = |password: &str| {
                let sasl = Sasl { mechanism, username: "admin".to_owned(), password: Secret::new(password) };
                KafkaConfig { sasl: Some(sasl), ..config(kafka.sasl_bootstrap()) }
            };
            let log = open(user("sesame"));
            let topic = make_topic(&*log, 1);
            append(&*log, &at(&topic, 0), 0..5);
            let text = KafkaLog::open(user("mustard")).map(|_| ()).unwrap_err().to_string();
            assert!(text.contains("check user, password") && !text.contains("mustard"), "{text}");
        }
    }

    /// A token that says who and until when, and is signed by nobody.
    fn token(subject: &str, lasts: Duration) -> Token {
        let expires_at = SystemTime::now() + lasts;
        let seconds = |at: SystemTime| at.duration_since(UNIX_EPOCH).unwrap().as_millis() as f64 / 1000.0;
        let claims = format!("{{\"sub\":\"{subject}\",\"iat\":{},\"exp\":{}}}", seconds(SystemTime::now()), seconds(expires_at));
        let encoded = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        Token { value: Secret::new(format!("{}.{}.", encoded("{\"alg\":\"none\"}"), encoded(&claims))), expires_at }
    }

    fn with_tokens(kafka: &Kafka, source: TokenSource) -> KafkaConfig {
        let oauth =
            OAuth { source, principal: "fieldline".to_owned(), extensions: [("logicalCluster".to_owned(), "one".to_owned())].into() };
        KafkaConfig { oauth: Some(oauth), ..config(kafka.sasl_bootstrap()) }
    }

    #[test]
    fn tokens_are_renewed_before_they_end_for_every_client_polled_or_not() {
        const LASTS: Duration = Duration::from_secs(4);
        let options = KafkaOptions { tokens_for_ms: Some(4_000), ..KafkaOptions::default() };
        let Some(kafka) = Kafka::start_or_leave_out(options) else { return };
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let source = TokenSource::new(move || {
            // The second answer is late, and is waited for by nobody who reads or appends.
            match counted.fetch_add(1, Ordering::Relaxed) {
                1 => Err(NoToken { reason: "the stand-in is away".into(), is_lasting: false }),
                _ => Ok(token("fieldline", LASTS)),
            }
        });
        let log = open(with_tokens(&kafka, source));
        let topic = make_topic(&*log, 1);
        let mut idle = log.producer().unwrap();
        append(&*log, &at(&topic, 0), 0..5);
        let mut member = Member::join(&*log, &name("group"), &topic);
        member.until_seen(&at(&topic, 0), 5);
        member.commit_at(&at(&topic, 0)).unwrap();
        // Over several lives of a token, while brokers close whoever does not renew.
        let until = Instant::now() + 4 * LASTS;
        let mut next = 5;
        while Instant::now() < until {
            append(&*log, &at(&topic, 0), next..next + 1);
            next += 1;
            member.until_seen(&at(&topic, 0), next as usize);
            std::thread::sleep(Duration::from_millis(200));
        }
        idle.append(&topic, record(0, &next.to_be_bytes())).unwrap();
        idle.flush(DEADLINE).unwrap();
        member.commit_at(&at(&topic, 0)).unwrap();
        assert!(asked.load(Ordering::Relaxed) >= 5, "{asked:?}");
        drop((log, member, idle));
        let after = asked.load(Ordering::Relaxed);
        std::thread::sleep(LASTS);
        assert_eq!(asked.load(Ordering::Relaxed), after, "nobody needs tokens any more");
    }

    #[test]
    fn no_token_and_a_wrong_one_are_told_and_not_shown() {
        let options = KafkaOptions { tokens_for_ms: Some(60_000), ..KafkaOptions::default() };
        let Some(kafka) = Kafka::start_or_leave_out(options) else { return };
        let none = TokenSource::new(|| Err(NoToken { reason: "the endpoint answers 401".into(), is_lasting: true }));
        let asked_at = Instant::now();
        let text = KafkaLog::open(with_tokens(&kafka, none)).map(|_| ()).unwrap_err().to_string();
        assert!(text.contains("the endpoint answers 401") && text.contains("check the token endpoint"), "{text}");
        assert!(asked_at.elapsed() < Duration::from_secs(5));
        // Text that is no token: brokers refuse it.
        let wrong =
            TokenSource::new(|| Ok(Token { value: Secret::new("hunter2"), expires_at: SystemTime::now() + Duration::from_secs(600) }));
        let text = KafkaLog::open(with_tokens(&kafka, wrong)).map(|_| ()).unwrap_err().to_string();
        assert!(text.contains("token") && !text.contains("hunter2"), "{text}");
    }
}

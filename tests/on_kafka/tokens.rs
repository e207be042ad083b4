//! Brokers that take encrypted connections and tokens only: every role gets its tokens from an HTTPS endpoint, and the rows are
//! those of a plain run. Needs the feature `tls`.

use super::Deployment;
use crate::support::events;
use crate::support::folder::{Folder, Outcome, Running, wait_until};
use crate::support::views::{ABOUT_ARRIVAL, Snapshot};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use fieldline_test_kafka::{Kafka, KafkaOptions};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const CLIENT: &str = "field-line";
const SECRET: &str = "hunter-two";
/// Long enough for the machine's worst pause, short enough for several in a test.
const TOKEN_LASTS: Duration = Duration::from_secs(12);
/// What nobody may ever print: the secret, and the login that carries it.
fn unspeakable() -> [String; 3] {
    [SECRET.to_owned(), STANDARD.encode(format!("{CLIENT}:{SECRET}")), "eyJhbGciOiJub25l".to_owned()]
}

/// A stand-in for an identity provider. It believes one client, and gives tokens that nobody has signed.
struct Endpoint {
    url: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    is_away: AtomicBool,
    given: AtomicUsize,
    turned_away: AtomicUsize,
}

/// The tests' own certificates, which protect nothing.
fn tls_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sinks/service/tests/deliver/tls").join(name)
}

impl Endpoint {
    fn start() -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let certificates = vec![CertificateDer::from_pem_file(tls_file("server.pem")).unwrap()];
        let settings = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(certificates, PrivateKeyDer::from_pem_file(tls_file("server.key.pem")).unwrap())
            .unwrap();
        let settings = Arc::new(settings);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}/realms/field/token", listener.local_addr().unwrap());
        let state = Arc::<State>::default();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shared.is_away.load(SeqCst) {
                    shared.turned_away.fetch_add(1, SeqCst);
                    continue;
                }
                let (settings, shared) = (Arc::clone(&settings), Arc::clone(&shared));
                std::thread::spawn(move || shared.serve(StreamOwned::new(ServerConnection::new(settings).unwrap(), stream)));
            }
        });
        Self { url, state }
    }

    fn go_away(&self, is_away: bool) {
        self.state.is_away.store(is_away, SeqCst);
    }

    fn given(&self) -> usize {
        self.state.given.load(SeqCst)
    }

    fn turned_away(&self) -> usize {
        self.state.turned_away.load(SeqCst)
    }
}

impl State {
    fn serve(&self, mut stream: StreamOwned<ServerConnection, TcpStream>) {
        let (mut request, mut piece) = (String::new(), [0; 4096]);
        while !request.contains("grant_type=client_credentials") {
            match stream.read(&mut piece) {
                Ok(count) if count > 0 => request.push_str(std::str::from_utf8(&piece[..count]).unwrap()),
                _ => return,
            }
        }
        let login = format!("authorization: Basic {}\r\n", STANDARD.encode(format!("{CLIENT}:{SECRET}")));
        let (status, body) = if request.contains(&login) {
            self.given.fetch_add(1, SeqCst);
            ("200 OK", format!("{{\"access_token\":\"{}\",\"token_type\":\"Bearer\",\"expires_in\":{}}}", token(), TOKEN_LASTS.as_secs()))
        } else {
            ("401 Unauthorized", format!("{{\"error\":\"invalid_client\",\"error_description\":\"not {SECRET}\"}}"))
        };
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close", body.len());
        _ = write!(stream, "{head}\r\n\r\n{body}");
        stream.conn.send_close_notify();
        _ = stream.flush();
    }
}

/// A JWT that says who and until when, as brokers of the tests take it.
fn token() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let (iat, exp) = (now.as_secs_f64(), (now + TOKEN_LASTS).as_secs_f64());
    let claims = format!("{{\"sub\":\"fieldline\",\"iat\":{iat:.3},\"exp\":{exp:.3}}}");
    let [header, claims] = ["{\"alg\":\"none\"}", &claims].map(|text| URL_SAFE_NO_PAD.encode(text));
    format!("{header}.{claims}.")
}

/// Brokers with nothing but encrypted connections and tokens for our roles, and a deployment that is told so.
fn deployment(kafka: &Kafka, endpoint: &Endpoint, secret: &str) -> Deployment {
    let mut deployment = Deployment::without_topics(&kafka.sasl_bootstrap(), 4);
    let secret_file = deployment.folder.write("secret", &[format!("{secret}\n")]);
    let config = deployment.folder.write("fieldline.toml", &[format!("kafka.oauth_client_secret_file = {secret_file:?}\n")]);
    deployment.settings.extend(["--config".to_owned(), config]);
    let settings = [
        "kafka.tls=true".to_owned(),
        format!("kafka.ca_file={}", kafka.certificate_file().display()),
        "kafka.sasl_mechanism=oauthbearer".to_owned(),
        format!("kafka.oauth_token_url={}", endpoint.url),
        format!("kafka.oauth_client_id={CLIENT}"),
        format!("kafka.oauth_ca_file={}", tls_file("authority.pem").display()),
    ];
    deployment.settings.extend(settings.into_iter().flat_map(|setting| ["--set".to_owned(), setting]));
    deployment
}

fn kafka() -> Option<Kafka> {
    let tokens_for_ms = Some(TOKEN_LASTS.as_millis() as u32);
    Kafka::start_or_leave_out(KafkaOptions { tls: true, tokens_for_ms, ..KafkaOptions::default() })
}

#[track_caller]
fn says_no_secret(said: &str) {
    for word in unspeakable() {
        assert!(!said.contains(&word), "{word} was printed: {said}");
    }
}

#[test]
fn roles_with_tokens_of_an_endpoint_give_the_rows_of_a_plain_run() {
    const FILES: usize = 6;
    let Some(kafka) = kafka() else { return };
    let lines = events::undisputed(events::simulated(60, 2, 83, "heavy"));
    let embedded = Folder::new();
    let whole = embedded.write("days.ndjson", &lines);
    embedded.import(&[&whole]);

    let endpoint = Endpoint::start();
    let deployment = deployment(&kafka, &endpoint, SECRET);
    let made = deployment.run(&["topics", "create"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    // The endpoint is away when they start: they say so, try again, and are there when it is.
    endpoint.go_away(true);
    let mut roles = ["processors", "sinks"].map(|role| deployment.spawn(&["run", "--role", role]));
    for role in &mut roles {
        role.wait_until_said("no token for Kafka yet");
        assert!(role.said("stderr").contains(&endpoint.url), "{}", role.said("stderr"));
    }
    endpoint.go_away(false);
    roles.iter_mut().for_each(|role| role.wait_until_said("fieldline runs on"));

    // While records flow tokens end and are renewed; once the endpoint is away for less than a token's life.
    let (at_first, began) = (endpoint.given(), Instant::now());
    let mut imports = 0;
    for (n, part) in lines.chunks(lines.len().div_ceil(FILES)).enumerate() {
        let part = deployment.folder.write(&format!("part-{n}.ndjson"), part);
        deployment.import(&part);
        imports += 1;
        if n == FILES / 2 {
            endpoint.go_away(true);
            let before = endpoint.turned_away();
            wait_until("a renewal fails", || endpoint.turned_away() > before);
            endpoint.go_away(false);
        }
    }
    wait_until("two lives of a token are over", || began.elapsed() > 2 * TOKEN_LASTS);
    let renewed = endpoint.given() - at_first - imports;
    assert!(renewed >= 2 * roles.len(), "{renewed} renewals in {:?}", began.elapsed());

    Snapshot::of(&embedded).assert_same(&Snapshot::of(&deployment.folder), ABOUT_ARRIVAL, "with tokens");
    deployment.verify();
    for role in &mut roles {
        let said = role.said("stderr");
        assert!(role.is_alive(), "{said}");
        says_no_secret(&said);
    }
    let warned: usize = roles.iter().map(|role| role.said("stderr").matches("the token for Kafka is not renewed").count()).sum();
    assert!(warned > 0, "nobody noticed that the endpoint was away");
}

/// Ends within the bounds of a start, and what it said.
fn ends(mut process: Running, within: Duration) -> Outcome {
    let began = Instant::now();
    wait_until("it gives up", || !process.is_alive());
    assert!(began.elapsed() < within, "{:?}", began.elapsed());
    process.finish()
}

#[test]
fn a_wrong_secret_and_an_endpoint_that_stays_away_stop_the_start_and_are_named() {
    let Some(kafka) = kafka() else { return };
    let endpoint = Endpoint::start();
    let stranger = deployment(&kafka, &endpoint, "mustard");
    for arguments in [&["run", "--role", "processors"][..], &["run", "--role", "sinks"], &["topics", "check"]] {
        let refused = ends(stranger.spawn(arguments), Duration::from_secs(20));
        assert_eq!(refused.code, Some(5), "{refused:?}");
        for said in [&*endpoint.url, "answers 401 (invalid_client)", "check the token endpoint, client id, secret and scope"] {
            assert!(refused.stderr.contains(said), "{said}: {refused:?}");
        }
        says_no_secret(&refused.stderr);
        assert!(!refused.stderr.contains("mustard") && !refused.stdout.contains("mustard"), "{refused:?}");
    }
    assert_eq!(endpoint.given(), 0);

    let away = deployment(&kafka, &endpoint, SECRET);
    endpoint.go_away(true);
    let gave_up = ends(away.spawn(&["run", "--role", "processors"]), Duration::from_secs(60));
    assert_eq!(gave_up.code, Some(5), "{gave_up:?}");
    assert!(gave_up.stderr.matches("no token for Kafka yet").count() >= 3, "it tries again: {gave_up:?}");
    assert!(gave_up.stderr.contains("no token to show to Kafka") && gave_up.stderr.contains(&endpoint.url), "{gave_up:?}");
    says_no_secret(&gave_up.stderr);
}

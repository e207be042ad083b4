//! Tokens for Kafka from a token endpoint: OAuth 2.0 client credentials, as OpenID Connect providers offer them.
//!
//! One request over a connection of its own, within deadlines; they are few, and hours apart. When to ask is the log's matter.
//! librdkafka could ask by itself (`sasl.oauthbearer.method=oidc`) if libcurl were compiled along; the HTTP client that is here
//! for alerts does it as well.

use crate::config::OAuthSettings;
use anyhow::{Context, Result};
use axum::body::Bytes;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use axum::http::{Method, Request};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use fieldline_log::kafka::{NoToken, OAuth, Secret, Token, TokenSource};
use fieldline_sinks::deliver::https_connector;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const CONNECT_WAIT_MAX: Duration = Duration::from_secs(3);
/// From the first byte that is sent to the last one of the answer.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(10);
/// No token and no error is as long.
const ANSWER_BYTES_MAX: usize = 256 << 10;
/// Codes of errors are short words; anything else may repeat what was sent.
const ERROR_CODE_BYTES_MAX: usize = 64;

/// The source of tokens that the settings name. What is wrong with its files is told here.
pub fn tokens(settings: &OAuthSettings) -> Result<OAuth> {
    https_connector(settings.ca_file.as_deref(), CONNECT_WAIT_MAX).map_err(anyhow::Error::msg).context("kafka.oauth_ca_file")?;
    let of_source = settings.clone();
    let source = TokenSource::new(move || ask(&of_source));
    Ok(OAuth { source, principal: settings.client_id.clone(), extensions: settings.extensions.clone() })
}

fn ask(settings: &OAuthSettings) -> Result<Token, NoToken> {
    let passing = |reason: String| NoToken { reason: format!("{}: {reason}", settings.token_url), is_lasting: false };
    let asked_at = SystemTime::now();
    let (status, body) = exchange(settings).map_err(passing)?;
    read(status, &body, asked_at).map_err(|none| NoToken { reason: format!("{} {}", settings.token_url, none.reason), ..none })
}

fn exchange(settings: &OAuthSettings) -> Result<(u16, Bytes), String> {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let login = STANDARD.encode(format!("{}:{}", encoded(&settings.client_id), encoded(&settings.client_secret.0)));
    let mut login = HeaderValue::from_str(&format!("Basic {login}")).map_err(|error| error.to_string())?;
    login.set_sensitive(true);
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    if let Some(scope) = &settings.scope {
        form.append_pair("scope", scope);
    }
    let request = Request::builder()
        .method(Method::POST)
        .uri(&settings.token_url)
        .header(AUTHORIZATION, login)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from(form.finish())))
        .map_err(|error| error.to_string())?;
    let connector = https_connector(settings.ca_file.as_deref(), CONNECT_WAIT_MAX)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let outcome = runtime.block_on(async {
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        let talk = async {
            let response = client.request(request).await.map_err(|error| format!("{:#}", anyhow::Error::new(error)))?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
            Ok((status, body.map_err(|error| format!("its answer breaks off: {error}"))?.to_bytes()))
        };
        let timed_out = Err(format!("no answer within {ANSWER_WAIT_MAX:?}"));
        tokio::time::timeout(ANSWER_WAIT_MAX, talk).await.unwrap_or(timed_out)
    });
    // The name's resolution, which nothing can interrupt, is not waited for.
    runtime.shutdown_background();
    outcome
}

/// What an answer means. Nothing of its text is kept but the code of an error.
fn read(status: u16, body: &[u8], asked_at: SystemTime) -> Result<Token, NoToken> {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    if status != 200 {
        let code = answer["error"].as_str().filter(|code| code.len() <= ERROR_CODE_BYTES_MAX && code.bytes().all(is_of_a_code));
        let reason = format!("answers {status}{}", code.map_or(String::new(), |code| format!(" ({code})")));
        // 408 and 429 ask for patience; redirects are followed by nobody.
        return Err(NoToken { reason, is_lasting: (300..500).contains(&status) && status != 408 && status != 429 });
    }
    let malformed = |what: &str| NoToken { reason: format!("answers 200, {what}"), is_lasting: false };
    let value = answer["access_token"].as_str().ok_or_else(|| malformed("without an access_token"))?;
    let lasts = answer["expires_in"].as_u64().or_else(|| answer["expires_in"].as_str()?.parse().ok()).map(Duration::from_secs);
    let expires_at = lasts.and_then(|lasts| asked_at.checked_add(lasts)).or_else(|| expiry_in(value));
    let expires_at = expires_at.ok_or_else(|| malformed("and says of the token neither expires_in nor, in its claims, exp"))?;
    if expires_at <= asked_at {
        return Err(malformed("with a token that is over; do the clocks agree?"));
    }
    Ok(Token { value: Secret::new(value), expires_at })
}

fn is_of_a_code(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The claim `exp` of a JWT.
fn expiry_in(token: &str) -> Option<SystemTime> {
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(claims["exp"].as_f64()? as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Hidden;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    const ASKED_AT: SystemTime = UNIX_EPOCH;

    fn settings(token_url: String) -> OAuthSettings {
        OAuthSettings {
            token_url,
            client_id: "field line".to_owned(),
            client_secret: Hidden("hunter:2".to_owned()),
            scope: Some("kafka read".to_owned()),
            extensions: [].into(),
            ca_file: None,
        }
    }

    /// Answers one request; what was asked.
    fn endpoint(status: &'static str, body: &'static str) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let serve = move || {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut asked, mut bytes) = (Vec::new(), [0; 4096]);
            while !String::from_utf8_lossy(&asked).contains("kafka+read") {
                let count = stream.read(&mut bytes).unwrap();
                asked.extend_from_slice(&bytes[..count]);
            }
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
            String::from_utf8(asked).unwrap()
        };
        (url, std::thread::spawn(serve))
    }

    #[test]
    fn what_is_asked_and_what_comes_of_it() {
        let (url, asked) = endpoint("200 OK", "{\"access_token\":\"abc\",\"expires_in\":300}");
        let token = ask(&settings(url)).unwrap();
        let left = token.expires_at.duration_since(SystemTime::now()).unwrap();
        assert!(token.value == Secret::new("abc") && left > Duration::from_secs(280) && left <= Duration::from_secs(300), "{left:?}");
        let asked = asked.join().unwrap();
        assert!(asked.starts_with("POST /token HTTP/1.1\r\n"), "{asked}");
        assert!(asked.ends_with("grant_type=client_credentials&scope=kafka+read"), "{asked}");
        // field+line:hunter%3A2, as RFC 6749 wants both encoded.
        assert!(asked.contains("authorization: Basic ZmllbGQrbGluZTpodW50ZXIlM0Ey\r\n"), "{asked}");
    }

    #[test]
    fn a_refusal_lasts_an_outage_passes_and_neither_shows_a_secret() {
        let (url, _) = endpoint("401 No", "{\"error\":\"invalid_client\",\"x\":\"hunter:2\"}");
        let none = ask(&settings(url.clone())).unwrap_err();
        assert_eq!(none, NoToken { reason: format!("{url} answers 401 (invalid_client)"), is_lasting: true });
        // Nobody listens on the discard port.
        let none = ask(&settings("http://127.0.0.1:9/token".to_owned())).unwrap_err();
        assert!(!none.is_lasting && none.reason.contains("127.0.0.1:9") && !none.reason.contains("hunter"), "{none:?}");
        assert!(!format!("{:?}", settings(url)).contains("hunter"));
    }

    #[test]
    fn answers_are_read_or_said_to_be_unreadable() {
        let jwt = format!("{{\"access_token\":\"e30.{}.\"}}", URL_SAFE_NO_PAD.encode("{\"sub\":\"x\",\"exp\":77}"));
        assert_eq!(read(200, jwt.as_bytes(), ASKED_AT).unwrap().expires_at, UNIX_EPOCH + Duration::from_secs(77));
        let text = "{\"access_token\":\"a\",\"expires_in\":\"60\"}";
        assert_eq!(read(200, text.as_bytes(), ASKED_AT).unwrap().expires_at, ASKED_AT + Duration::from_secs(60));
        let cases = [
            (200, "<html>", "without an access_token", false),
            (200, "{\"access_token\":\"opaque\"}", "neither expires_in", false),
            (200, "{\"access_token\":\"opaque\",\"expires_in\":0}", "is over", false),
            (400, "{\"error\":\"invalid_scope\"}", "400 (invalid_scope)", true),
            (400, "{\"error\":\"of hunter 2\"}", "answers 400", true),
            (302, "", "answers 302", true),
            (429, "", "answers 429", false),
            (503, "{", "answers 503", false),
        ];
        for (status, body, said, is_lasting) in cases {
            let none = read(status, body.as_bytes(), ASKED_AT).unwrap_err();
            assert!(
                none.reason.contains(said) && none.is_lasting == is_lasting && !none.reason.contains("hunter"),
                "{status} {body}: {none:?}"
            );
        }
    }
}

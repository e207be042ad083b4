//! Mail by SMTP.

use super::config::{Deadlines, Encryption, Mailbox};
use super::group;
use super::http::Sent;
use super::message::Message;
use super::policy::Outcome;
use lettre::message::Mailbox as Address;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::response::Code;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use std::time::Duration;

/// Sends to one mailbox.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Address,
    to: Vec<Address>,
    attempt: Duration,
}

impl Mailer {
    /// The text says what is wrong with the settings.
    pub fn new(mailbox: &Mailbox, deadlines: Deadlines) -> Result<Self, String> {
        let address = |text: &String| text.parse::<Address>().map_err(|error| format!("{text:?} is no mail address: {error}"));
        let parameters = || -> Result<TlsParameters, String> {
            let mut builder = TlsParameters::builder(mailbox.host.clone());
            if let Some(path) = &mailbox.ca_file {
                let unreadable = |error: &dyn std::fmt::Display| format!("reading the certificates of {}: {error}", path.display());
                let text = std::fs::read(path).map_err(|error| unreadable(&error))?;
                let authorities = Certificate::from_pem(&text).map_err(|error| unreadable(&error))?;
                builder = builder.certificate_store(CertificateStore::None).add_root_certificate(authorities);
            }
            builder.build().map_err(|error| format!("preparing TLS: {error}"))
        };
        let tls = match mailbox.encryption {
            Encryption::Wrapped => Tls::Wrapper(parameters()?),
            Encryption::StartTls => Tls::Required(parameters()?),
            Encryption::Plain => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&mailbox.host).port(mailbox.port).tls(tls);
        if let Some((user, password)) = &mailbox.login {
            builder = builder.credentials(Credentials::new(user.clone(), password.0.clone()));
        }
        Ok(Self {
            transport: builder.timeout(Some(deadlines.connect.max(deadlines.attempt))).build(),
            from: address(&mailbox.from)?,
            to: mailbox.to.iter().map(address).collect::<Result<_, _>>()?,
            attempt: deadlines.attempt,
        })
    }

    /// One mail, of one alert or of the several of a group.
    pub async fn send(&self, messages: &[Message]) -> Sent {
        let text = messages.iter().map(text).collect::<Vec<_>>().join("\r\n");
        let subject = line(group::title(messages));
        let mut mail = lettre::Message::builder().from(self.from.clone()).subject(subject).header(ContentType::TEXT_PLAIN);
        // A repetition of a notification carries the same id.
        mail = mail.message_id(Some(format!("<{}@fieldline>", line(group::key(messages)).replace([' ', '<', '>', '@'], "_"))));
        for to in &self.to {
            mail = mail.to(to.clone());
        }
        let Ok(mail) = mail.body(text) else { return Sent::permanent("the mail can not be put together; look at from and to") };
        match tokio::time::timeout(self.attempt, self.transport.send(mail)).await {
            Err(_) => Sent::timed_out(self.attempt),
            Ok(Ok(response)) => Sent::taken(Some(status(response.code()))),
            Ok(Err(error)) => {
                let status = error.status().map(status);
                // The server's text may repeat addresses.
                let detail = status.map_or_else(|| kind(&error).to_owned(), |status| format!("it answers {status}"));
                let outcome = if error.is_permanent() { Outcome::Permanent } else { Outcome::Passing };
                Sent { outcome, status, detail }
            }
        }
    }
}

fn line(text: String) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn text(message: &Message) -> String {
    let mut text = format!("{}\r\n\r\n{}\r\n\r\n", message.title(), message.alert.reasoning);
    for name in ["alert_id", "technician_contact_id", "team", "opened_at", "acknowledged_at", "resolved_at", "location", "note"] {
        let value = message.field(name).unwrap_or_default();
        if !value.is_empty() {
            text.push_str(&format!("{name}: {}\r\n", line(value)));
        }
    }
    text
}

fn status(code: Code) -> i32 {
    u16::from(code).into()
}

fn kind(error: &lettre::transport::smtp::Error) -> &'static str {
    match () {
        () if error.is_timeout() => "no answer in time",
        () if error.is_tls() => "TLS failed",
        () if error.is_response() => "its answer is not understood",
        () => "it can not be reached, or the connection broke",
    }
}

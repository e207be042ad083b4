//! What comes in a record's place, and what it means.

use super::answers::{Verdict, verdict};
use super::cluster::Cluster;
use super::native::member::{Member, Message};
use crate::{Error, Result, TopicPartition, Watermarks};
use rdkafka::types::RDKafkaErrorCode as Code;

pub(super) enum Trouble {
    /// A record that cannot be taken.
    Record(Error),
    Client(Complaint),
}

/// An error of the client; about no topic where its topic is empty.
pub(super) struct Complaint {
    code: Code,
    pub(super) at: TopicPartition,
    text: String,
}

impl Complaint {
    pub(super) fn read(code: Code, message: &Message<'_>) -> Self {
        let at = TopicPartition { topic: message.topic().to_owned(), partition: message.partition() };
        let said = String::from_utf8_lossy(message.value()).into_owned();
        Self { code, at, text: if said.is_empty() { code.to_string() } else { said } }
    }

    /// What an error of the client means. Only what stays is an error here; the client goes on by itself with the rest.
    pub(super) fn judge(self, cluster: &Cluster, group: &str, member: &Member, position: Option<i64>) -> Result<()> {
        let Self { code, at, text } = self;
        let doing = match at.topic.as_str() {
            "" => format!("polling in group {}", group),
            topic if at.partition < 0 => format!("reading topic {topic} in group {}", group),
            topic => format!("reading {topic} partition {} in group {}", at.partition, group),
        };
        match code {
            Code::AutoOffsetReset | Code::OffsetOutOfRange => {
                let Watermarks { begin, end } = cluster.watermarks(&at)?;
                if let Some(offset) = position.filter(|offset| !(begin..=end).contains(offset)) {
                    return Err(Error::OffsetOutOfRange { topic: at.topic.clone(), partition: at.partition, offset, begin, end });
                }
                Err(Error::Kafka {
                    doing: doing.into(),
                    answer: text.into(),
                    advice: "; records were lost on the brokers, or the topic was made anew",
                })
            }
            Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition if !at.topic.is_empty() => {
                if cluster.topic_metadata(&at.topic)?.is_none() {
                    return Err(Error::UnknownTopic(at.topic.clone()));
                }
                tracing::warn!(answer = text, "{doing}: not every broker knows the topic yet");
                Ok(())
            }
            _ => {
                let (code, text) = match member.fatal() {
                    Some(fatal) => (fatal.code, fatal.text),
                    None => (code, text),
                };
                match verdict(code) {
                    Verdict::Final(advice) => Err(Error::Kafka { doing: doing.into(), answer: text.into(), advice }),
                    Verdict::Passing | Verdict::OwnershipLost => {
                        tracing::warn!(answer = text, "{doing}: the client tries again");
                        Ok(())
                    }
                }
            }
        }
    }
}

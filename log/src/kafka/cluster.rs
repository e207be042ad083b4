//! What all clients of one cluster share: its settings, one client for questions, and the patience to ask again.

use super::answers::{Verdict, verdict};
use super::config::KafkaConfig;
use super::context::Context;
use super::members::MemberNumbers;
use super::native::Failure;
use super::native::admin::Admin;
use super::native::outsider::Outsider;
use super::properties;
use super::tokens::Tokens;
use crate::broker::wake::lock;
use crate::{Error, Result, TopicPartition};
use rdkafka::types::RDKafkaErrorCode as Code;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Waits between attempts: from the first, doubled, to the last.
const BACK_OFF_FIRST: Duration = Duration::from_millis(50);
const BACK_OFF_MAX: Duration = Duration::from_secs(5);
/// How soon `give_up` is noticed.
const GIVE_UP_WITHIN: Duration = Duration::from_millis(50);

pub(super) struct Cluster {
    pub(super) config: KafkaConfig,
    pub(super) admin: Admin,
    /// Where clients prove themselves by tokens.
    pub(super) tokens: Option<Arc<Tokens>>,
    giving_up: AtomicBool,
    /// Partition counts of topics that are known to exist.
    topics: Mutex<BTreeMap<String, i32>>,
    /// Who asks what a group has committed.
    outsiders: Mutex<BTreeMap<String, Arc<Outsider>>>,
    pub(super) members: Arc<MemberNumbers>,
}

impl Cluster {
    /// Returns once a broker answered; that it never does is told here rather than by every later question.
    pub(super) fn open(config: KafkaConfig) -> Result<Self> {
        config.check()?;
        let tokens = config.oauth.clone().map(|oauth| Tokens::start(oauth, config.timeouts.connect)).transpose()?;
        let admin = Admin::open(&properties::admin(&config), tokens.as_deref())?;
        let cluster = Self {
            config,
            admin,
            tokens,
            giving_up: AtomicBool::new(false),
            topics: Mutex::default(),
            outsiders: Mutex::default(),
            members: Arc::default(),
        };
        let asked_at = Instant::now();
        let connect = cluster.config.timeouts.connect;
        let attempt = connect.min(Duration::from_secs(1));
        while let Err(failure) = cluster.admin.reach(attempt) {
            cluster.admin.serve();
            cluster.refused("connecting", cluster.admin.context())?;
            if asked_at.elapsed() >= connect {
                return Err(cluster.unreachable("connecting".to_owned(), asked_at, &failure, cluster.admin.context()));
            }
        }
        Ok(cluster)
    }

    pub(super) fn give_up(&self) {
        self.giving_up.store(true, Ordering::Relaxed);
    }

    pub(super) fn gives_up(&self) -> bool {
        self.giving_up.load(Ordering::Relaxed)
    }

    /// Asks until there is an answer that stays. Passing errors are logged and tried again, with growing waits.
    pub(super) fn ask<T>(
        &self,
        doing: impl Fn() -> String,
        context: &Context,
        mut attempt: impl FnMut(Duration) -> std::result::Result<T, Failure>,
    ) -> Result<T> {
        let asked_at = Instant::now();
        let mut back_off = BACK_OFF_FIRST;
        loop {
            let answer = attempt(self.config.timeouts.request);
            self.admin.serve();
            let failure = match answer {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            if let Verdict::Final(advice) = verdict(failure.code) {
                return Err(Error::Kafka { doing: doing().into(), answer: failure.text.into(), advice });
            }
            self.refused("asking Kafka", context)?;
            if self.gives_up() || self.config.timeouts.retry.is_some_and(|retry| asked_at.elapsed() >= retry) {
                return Err(self.unreachable(doing(), asked_at, &failure, context));
            }
            let reason = context.reason();
            tracing::warn!(
                waited_ms = asked_at.elapsed().as_millis() as u64,
                answer = failure.text,
                reason,
                "{}: no lasting answer yet, trying again",
                doing()
            );
            self.wait(back_off);
            back_off = (back_off * 2).min(BACK_OFF_MAX);
        }
    }

    fn wait(&self, wait: Duration) {
        let deadline = Instant::now() + wait;
        while !self.gives_up() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(GIVE_UP_WITHIN));
        }
    }

    /// Whether the brokers do not know our name or password: asking again would not help.
    pub(super) fn refused(&self, doing: &str, context: &Context) -> Result<()> {
        let Some((answer, refused_at)) = context.refused() else { return Ok(()) };
        if self.tokens.as_ref().is_some_and(|tokens| tokens.is_excused(refused_at)) {
            context.forgive();
            return Ok(());
        }
        let Verdict::Final(advice) = verdict(Code::Authentication) else { return Ok(()) };
        Err(Error::Kafka { doing: doing.into(), answer: answer.into(), advice })
    }

    fn unreachable(&self, doing: String, asked_at: Instant, failure: &Failure, context: &Context) -> Error {
        let reason = context.reason().unwrap_or_else(|| failure.text.clone());
        self.no_answer(doing, asked_at, &reason)
    }

    pub(super) fn no_answer(&self, doing: String, asked_at: Instant, reason: &str) -> Error {
        let reason = format!("{}: {reason}", self.config.brokers).into();
        Error::Unreachable { doing: doing.into(), waited: asked_at.elapsed(), reason }
    }

    /// The partition count of a topic, which is looked up once.
    pub(super) fn partitions(&self, topic: &str) -> Result<i32> {
        if let Some(partitions) = lock(&self.topics).get(topic) {
            return Ok(*partitions);
        }
        match self.topic_metadata(topic)? {
            Some(metadata) => Ok(metadata.partitions),
            None => Err(Error::UnknownTopic(topic.to_owned())),
        }
    }

    pub(super) fn remember(&self, topic: &str, partitions: i32) {
        lock(&self.topics).insert(topic.to_owned(), partitions);
    }

    pub(super) fn forget(&self, topic: &str) {
        lock(&self.topics).remove(topic);
    }

    /// Refuses what does not exist, rather than wait for it.
    pub(super) fn check_partition(&self, at: &TopicPartition) -> Result<()> {
        let partitions = self.partitions(&at.topic)?;
        if (0..partitions).contains(&at.partition) {
            return Ok(());
        }
        Err(Error::UnknownPartition { topic: at.topic.clone(), partition: at.partition, partitions })
    }

    pub(super) fn outsider(&self, group: &str) -> Result<Arc<Outsider>> {
        let mut outsiders = lock(&self.outsiders);
        if let Some(known) = outsiders.get(group) {
            return Ok(Arc::clone(known));
        }
        let outsider = Arc::new(Outsider::open(&properties::outsider(&self.config, group), self.tokens.as_deref())?);
        outsiders.insert(group.to_owned(), Arc::clone(&outsider));
        Ok(outsider)
    }
}

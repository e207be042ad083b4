//! Whole stages with a schema registry that goes away: what needs it stands still and says so, the rest moves, nothing is lost.

use super::{Deployment, Observed, shared_kafka};
use crate::registry_server::{Model, Mood, Server};
use crate::support::events;
use crate::support::folder::wait_until;
use crate::support::views::{ABOUT_ARRIVAL, Snapshot};
use fieldline_log::kafka::{KafkaConfig, KafkaLog};
use fieldline_log::{Append, Destination, Log, TopicPartition, partition_for_key};
use fieldline_producers::{PublishError, Publisher, PublisherConfig};
use fieldline_registry::{Registry, RegistryTarget};
use fieldline_schemas::wire::schemas;
use fieldline_schemas::{Codec, Kind, Missing, Timestamp, from_json, key_of};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

const PARTITIONS: i32 = 4;
/// Technicians here write single objects, which need no registry.
const PLAIN: i32 = 0;
/// Here somebody writes under an id that no stage has met.
const FOREIGN: i32 = 1;
const FOREIGN_ID: u32 = 900;
const WAIT_MAX: Duration = Duration::from_secs(30);

/// An event that says what it is and when, and the partition of its technician, where it has one.
struct Line {
    text: String,
    partition: Option<i32>,
    is_activity: bool,
}

fn lines() -> Vec<Line> {
    let lines = events::undisputed(events::simulated(40, 2, 71, "heavy")).into_iter();
    let read = |text: String| {
        let event: Value = serde_json::from_str(&text).ok()?;
        let technician = event["technician_contact_id"].as_str();
        let partition = technician.map(|technician| partition_for_key(technician.as_bytes(), PARTITIONS));
        let is_whole = event["id"].is_string() && event["created_at"].is_string();
        is_whole.then(|| Line { partition, is_activity: event["event"] == "technician_activity", text })
    };
    lines.filter_map(read).collect()
}

/// Appends; lines that the publisher refuses are refused everywhere alike.
fn publish(publisher: &mut Publisher, line: &str) {
    match publisher.publish_json(line) {
        Ok(_) | Err(PublishError::Refused(_)) => {}
        Err(error) => panic!("{error}"),
    }
}

struct Stage {
    deployment: Deployment,
    log: Arc<KafkaLog>,
}

impl Stage {
    fn new(brokers: &str, registry: Option<&Server>) -> Self {
        let mut deployment = Deployment::new(brokers, PARTITIONS as u32);
        if let Some(server) = registry {
            deployment.settings.extend(["--set".to_owned(), format!("registry.url={}", server.url())]);
        }
        let log = KafkaLog::open(KafkaConfig { brokers: brokers.to_owned(), ..KafkaConfig::default() }).unwrap();
        Self { deployment, log }
    }

    fn publisher(&self, schemas: Registry) -> Publisher {
        let prefix = self.deployment.prefix().to_owned();
        let config = PublisherConfig { prefix, makes_topics: false, schemas, ..PublisherConfig::default() };
        Publisher::new(Arc::clone(&self.log) as Arc<dyn Log>, config).unwrap()
    }

    fn at(&self, partition: i32) -> TopicPartition {
        TopicPartition { topic: format!("{}activity", self.deployment.prefix()), partition }
    }

    fn end(&self, partition: i32) -> i64 {
        self.log.watermarks(&self.at(partition)).unwrap().end
    }

    /// The least that processors and raw sink have committed of a partition of `activity`.
    fn committed(&self, partition: i32) -> i64 {
        let of = |group: &str| {
            let group = format!("{}{group}", self.deployment.prefix());
            self.log.committed(&group, &self.at(partition)).unwrap().map_or(0, |committed| committed.offset)
        };
        of("processors").min(of("raw-sink"))
    }

    fn wait_until_through(&self, ends: &[(i32, i64)]) {
        wait_until("processors and raw sink are through", || ends.iter().all(|(partition, end)| self.committed(*partition) >= *end));
    }

    /// Whether neither of the two has come beyond an offset.
    fn stands_at(&self, partition: i32, offset: i64) -> bool {
        ["processors", "raw-sink"].iter().all(|group| {
            let group = format!("{}{group}", self.deployment.prefix());
            self.log.committed(&group, &self.at(partition)).unwrap().is_none_or(|committed| committed.offset <= offset)
        })
    }

    fn wait_until_verified(&self) {
        wait_until("every stage is through, and the tables hold what they should", || self.deployment.run(&["verify"]).code == Some(0));
    }
}

/// Says on /readyz that the registry is what is waited for.
fn waits_for_registry(role: &Observed) -> bool {
    let answer = role.get("/readyz");
    answer.starts_with("HTTP/1.1 503") && answer.contains("the schema registry cannot be reached")
}

#[test]
fn without_its_registry_a_partition_stands_still_and_goes_on_with_it() {
    let Some(kafka) = shared_kafka() else { return };
    let lines = lines();
    let (early, late) = lines.split_at(lines.len() / 2);
    let server = Server::start(Model::default());
    let stage = Stage::new(&kafka.bootstrap(), Some(&server));
    let registry = Registry::start(RegistryTarget::new(&server.url(), None).unwrap()).unwrap();
    assert!(registry.wait_registered(Some(WAIT_MAX)).unwrap());
    let (mut plain, mut framed) = (stage.publisher(Registry::default()), stage.publisher(registry));
    for line in early {
        publish(if line.partition == Some(PLAIN) { &mut plain } else { &mut framed }, &line.text);
    }
    plain.flush(WAIT_MAX).unwrap();
    framed.flush(WAIT_MAX).unwrap();
    let ends: Vec<(i32, i64)> = (0..PARTITIONS).map(|partition| (partition, stage.end(partition))).collect();
    assert!(ends.iter().all(|(_, end)| *end > 0), "{ends:?}");

    // The registry is away when the stages start.
    server.change(|model| model.mood = Mood::Mute);
    let roles = ["processors", "sinks"].map(|role| stage.deployment.start_observed(role));
    stage.wait_until_through(&ends[..1]);
    wait_until("both roles say what they wait for", || roles.iter().all(waits_for_registry));
    assert!((1..PARTITIONS).all(|partition| stage.stands_at(partition, 0)), "a record whose schema nobody knows was passed");
    server.change(|model| model.mood = Mood::Well);
    stage.wait_until_through(&ends);
    wait_until("both roles are ready", || roles.iter().all(Observed::is_ready));

    // It goes away again: only what it has not told yet waits.
    server.change(|model| {
        model.mood = Mood::Mute;
        model.schemas.insert(FOREIGN_ID, schemas().of(Kind::TechnicianActivity).json.to_owned());
    });
    let mut foreign = late.iter().position(|line| line.partition == Some(FOREIGN) && line.is_activity);
    assert!(foreign.is_some());
    let mut foreign_at = i64::MAX;
    for (number, line) in late.iter().enumerate() {
        if foreign == Some(number) {
            framed.flush(WAIT_MAX).unwrap();
            foreign_at = stage.end(FOREIGN) + TICKS_MAX;
            publish_under(FOREIGN_ID, &stage, &line.text);
            foreign = None;
        } else {
            publish(if line.partition == Some(PLAIN) { &mut plain } else { &mut framed }, &line.text);
        }
    }
    plain.flush(WAIT_MAX).unwrap();
    framed.flush(WAIT_MAX).unwrap();
    let ends: Vec<(i32, i64)> = (0..PARTITIONS).map(|partition| (partition, stage.end(partition))).collect();
    let others: Vec<(i32, i64)> = ends.iter().copied().filter(|(partition, _)| *partition != FOREIGN).collect();
    stage.wait_until_through(&others);
    wait_until("both roles say what they wait for", || roles.iter().all(waits_for_registry));
    assert!(stage.stands_at(FOREIGN, foreign_at), "a record whose schema nobody knows was passed");
    server.change(|model| model.mood = Mood::Well);
    stage.wait_until_through(&ends);
    wait_until("both roles are ready", || roles.iter().all(Observed::is_ready));
    stage.wait_until_verified();

    // The same events where there is no registry.
    let without = Stage::new(&kafka.bootstrap(), None);
    let mut plain = without.publisher(Registry::default());
    lines.iter().for_each(|line| publish(&mut plain, &line.text));
    plain.flush(WAIT_MAX).unwrap();
    let _roles = ["processors", "sinks"].map(|role| without.deployment.start(role));
    without.wait_until_verified();
    let (this, that) = (Snapshot::of(&stage.deployment.folder), Snapshot::of(&without.deployment.folder));
    this.assert_same(&that, ABOUT_ARRIVAL, "with a registry and without");
    let stored = "SELECT count() FROM dead_letters";
    assert_eq!(stage.deployment.folder.number(stored), without.deployment.folder.number(stored));
}

/// Ticks that may come between the question for a partition's end and an append.
const TICKS_MAX: i64 = 3;

/// Appends a record as somebody with ids of their own would.
fn publish_under(id: u32, stage: &Stage, line: &str) {
    // As the publisher reads it; nothing is missing.
    let record = from_json(line, Missing::Fill { now: Timestamp(0), id: &mut Uuid::now_v7 }).unwrap();
    let mut single = Vec::new();
    Codec::new().encode(&record, &mut single);
    // In the place of the marker and the fingerprint: magic and id.
    let frame = [&[0], &id.to_be_bytes()[..], &single[10..]].concat();
    let mut producer = stage.log.producer().unwrap();
    let append = Append { destination: Destination::ByKey, key: &key_of(&record), value: &frame, append_time: None };
    producer.append(&stage.at(FOREIGN).topic, append).unwrap();
    producer.flush(WAIT_MAX).unwrap();
}

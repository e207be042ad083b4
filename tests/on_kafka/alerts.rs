//! Emergencies on real Kafka with real processes, from the publisher to a desk that is paged.

use super::{Deployment, shared_kafka};
use crate::support::Random;
use crate::support::desk::SafetyDesk;
use crate::support::folder::{Running, wait_until};
use fieldline_log::kafka::{KafkaConfig, KafkaLog};
use fieldline_log::{Log, Producer, TopicPartition};
use fieldline_producers::{Publisher, PublisherConfig};
use fieldline_schemas::Topic;
use fieldline_schemas::events::{ActivityType, TechnicianActivity};
use fieldline_schemas::ids::TechnicianId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use uuid::Uuid;

const PARTITIONS: u32 = 8;
pub(super) const FLUSH_WAIT_MAX: Duration = Duration::from_secs(30);

/// A deployment whose alerts go to a desk.
pub(super) struct Watched {
    pub deployment: Deployment,
    pub desk: SafetyDesk,
    pub publisher: Publisher,
    pub log: Arc<KafkaLog>,
    /// Appends what the publisher would not.
    pub side_door: Box<dyn Producer>,
}

impl Watched {
    pub fn new(brokers: &str) -> Self {
        let desk = SafetyDesk::start();
        let mut deployment = Deployment::new(brokers, PARTITIONS);
        let receivers = format!("[[receivers]]\nname = \"desk\"\nchannel = \"webhook\"\nurl = \"{}\"\nin_flight_max = 64\n", desk.url);
        let file = deployment.folder.write("fieldline.toml", &[receivers]);
        deployment.settings.extend(["--config".to_owned(), file]);
        let prefix = deployment.prefix().to_owned();
        let log = KafkaLog::open(KafkaConfig { brokers: brokers.to_owned(), ..KafkaConfig::default() }).unwrap();
        let settings = PublisherConfig { prefix, makes_topics: false, ..PublisherConfig::default() };
        let publisher = Publisher::new(Arc::clone(&log) as Arc<dyn Log>, settings).unwrap();
        Self { deployment, desk, publisher, side_door: log.producer().unwrap(), log }
    }

    /// A technician's button; the alert's id.
    pub fn press(&mut self, technician: TechnicianId) -> String {
        let (alert_id, activity) = self.emergency_stop(technician);
        self.publisher.publish_activity(activity).unwrap();
        alert_id
    }

    /// What a button sends, and the id of the alert that it is to raise.
    pub fn emergency_stop(&self, technician: TechnicianId) -> (String, TechnicianActivity<'static>) {
        let common = self.publisher.new_common();
        let alert_id = format!("S1:{technician}:{}", common.id);
        let activity = TechnicianActivity {
            common,
            technician_contact_id: technician,
            activity_type: ActivityType::EmergencyStop,
            visit_id: None,
            vehicle_id: None,
            location: None,
            notes: None,
        };
        (alert_id, activity)
    }

    pub fn told_of(&self, alerts: &BTreeMap<String, SystemTime>) -> usize {
        let told: BTreeSet<String> = self.desk.told().iter().map(|told| told.alert_id().to_owned()).collect();
        alerts.keys().filter(|alert_id| told.contains(*alert_id)).count()
    }
}

#[test]
fn an_emergency_is_paged_acknowledged_resolved_and_cleared() {
    let Some(kafka) = shared_kafka() else { return };
    let mut watched = Watched::new(&kafka.bootstrap());
    watched.deployment.settings.extend(["--set".into(), "alerts.escalate_after_seconds=2".into()]);
    let _processors = watched.deployment.start("processors");
    let _sinks = watched.deployment.start("sinks");
    let technician = TechnicianId(Uuid::now_v7());
    let alert_id = watched.press(technician);
    watched.publisher.flush(FLUSH_WAIT_MAX).unwrap();
    let steps = |desk: &SafetyDesk| -> Vec<String> {
        let mut told = desk.told();
        told.retain(|told| told.alert_id() == alert_id);
        told.iter().map(|told| told.step().to_owned()).collect()
    };
    wait_until("a second round pages", || steps(&watched.desk).iter().filter(|step| *step == "escalated").count() >= 2);
    assert_eq!(steps(&watched.desk)[0], "opened");
    let listed = watched.deployment.run(&["alerts", "list", "--json"]);
    assert!(listed.stdout.contains(&alert_id), "{listed:?}");

    let acknowledged = watched.deployment.run(&["alerts", "acknowledge", &alert_id, "--note", "calling"]);
    assert_eq!(acknowledged.code, Some(0), "{acknowledged:?}");
    let refused = watched.deployment.run(&["alerts", "resolve", &alert_id]);
    assert!(refused.code == Some(2) && refused.stderr.contains("reason"), "{refused:?}");
    let resolved = watched.deployment.run(&["alerts", "resolve", &alert_id, "--reason", "assisted"]);
    assert_eq!(resolved.code, Some(0), "{resolved:?}");
    wait_until("the desk is told of the end", || watched.desk.told().iter().any(|told| told.state() == "resolved"));
    wait_until("the clearance is in the technician's log", || {
        let query = format!("SELECT count() FROM technician_facts_log WHERE kind = 'clearance' AND technician_contact_id = '{technician}'");
        watched.deployment.folder.number(&query) > 0
    });
    // Told of each notification once: nothing failed, so nothing was sent again.
    let mut ids: Vec<String> = watched.desk.told().into_iter().map(|told| told.webhook_id).collect();
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all, "{:?}", watched.desk.told());
    assert_eq!(watched.deployment.folder.number("SELECT count() FROM emergencies_undelivered"), 0);
}

/// Bulk of this publisher lingers for seconds, as an operator may set it.
#[test]
fn an_emergency_waits_for_nothing_that_its_publisher_has_under_way() {
    const LINGER: Duration = Duration::from_secs(10);
    let Some(kafka) = shared_kafka() else { return };
    let Watched { deployment, log, .. } = Watched::new(&kafka.bootstrap());
    let linger = ("linger.ms".to_owned(), LINGER.as_millis().to_string());
    let slow = KafkaConfig { brokers: kafka.bootstrap(), properties: [linger].into(), ..KafkaConfig::default() };
    let settings = PublisherConfig { prefix: deployment.prefix().to_owned(), makes_topics: false, ..PublisherConfig::default() };
    let mut publisher = Publisher::new(KafkaLog::open(slow).unwrap(), settings).unwrap();
    let technician = TechnicianId(Uuid::now_v7());
    let mut publish = |activity_type| {
        let common = publisher.new_common();
        let (visit_id, vehicle_id, location, notes) = (None, None, None, None);
        let activity =
            TechnicianActivity { common, technician_contact_id: technician, activity_type, visit_id, vehicle_id, location, notes };
        publisher.publish_activity(activity).unwrap().number
    };
    let began = Instant::now();
    assert_eq!([ActivityType::TravelStart, ActivityType::EmergencyStop, ActivityType::ShiftEnd].map(&mut publish), [1, 3, 4]);
    let count = |topic: Topic| {
        let topic = topic.full_name(deployment.prefix());
        let ends = (0..PARTITIONS as i32).map(|partition| log.watermarks(&TopicPartition { topic: topic.clone(), partition }).unwrap().end);
        ends.sum::<i64>()
    };
    wait_until("the emergency is in both topics", || (count(Topic::Activity), count(Topic::Emergency)) == (1, 1));
    assert!(began.elapsed() < LINGER, "{:?}: the first record may have left by itself", began.elapsed());
    // What was published first is not durable: the frontier stands before it, however much behind it is.
    assert_eq!(publisher.acknowledged().unwrap(), 0);
    publisher.flush(LINGER + FLUSH_WAIT_MAX).unwrap();
    assert_eq!((publisher.acknowledged().unwrap(), count(Topic::Activity), count(Topic::Emergency)), (4, 3, 1));
}

/// Lane and lifecycle are in the role that is killed: nothing that the log carries could say so.
#[test]
fn a_role_that_is_gone_is_told_of_directly_and_its_return_in_the_ordinary_way() {
    let Some(kafka) = shared_kafka() else { return };
    let mut watched = Watched::new(&kafka.bootstrap());
    let outside = SafetyDesk::start();
    let settings = ["watch.beat_seconds=2".to_owned(), format!("watch.ping_url={}", outside.url)];
    watched.deployment.settings.extend(settings.into_iter().flat_map(|setting| ["--set".to_owned(), setting]));
    let processors = watched.deployment.start("processors");
    let _sinks = [watched.deployment.start("sinks"), watched.deployment.start("sinks")];
    wait_until("the switch outside is pinged", || outside.told().len() >= 2);
    processors.kill_all();
    let told = |desk: &SafetyDesk, state: &str| {
        let is_it = |told: &crate::support::desk::Told| told.alert_id().starts_with("S12:") && told.state() == state;
        desk.told().into_iter().filter(is_it).map(|told| told.alert_id().to_owned()).collect::<BTreeSet<_>>()
    };
    wait_until("the desk is told", || !told(&watched.desk, "opened").is_empty());
    let alert_id = told(&watched.desk, "opened").first().unwrap().clone();
    assert!(alert_id.starts_with("S12:lane:"), "{alert_id}");
    assert_eq!(watched.deployment.folder.number("SELECT count() FROM alerts"), 0, "no alert could be made of it");
    let pings = outside.told().len();
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(outside.told().len(), pings);
    let _processors = watched.deployment.start("processors");
    wait_until("the desk is told of its end", || told(&watched.desk, "resolved").contains(&alert_id));
    wait_until("the switch outside is pinged again", || outside.told().len() > pings);
}

/// Delivered = sent, by the desk's own book against the publisher's, while every role is killed again and again.
#[test]
fn every_emergency_is_paged_whoever_is_killed() {
    const ROUNDS: usize = 20;
    const PER_ROUND: usize = 5;
    let Some(kafka) = shared_kafka() else { return };
    let mut watched = Watched::new(&kafka.bootstrap());
    let start = |deployment: &Deployment, role: &str| deployment.spawn(&["run", "--role", role]);
    let mut processors: Vec<Running> = (0..2).map(|_| start(&watched.deployment, "processors")).collect();
    let mut sinks: Vec<Running> = (0..2).map(|_| start(&watched.deployment, "sinks")).collect();
    let mut random = Random(7);
    let (mut pressed, mut with_work) = (BTreeMap::new(), 0);
    for _ in 0..ROUNDS {
        for _ in 0..PER_ROUND {
            let alert_id = watched.press(TechnicianId(Uuid::now_v7()));
            pressed.insert(alert_id, SystemTime::now());
        }
        watched.publisher.flush(FLUSH_WAIT_MAX).unwrap();
        std::thread::sleep(Duration::from_millis(random.below(1_500)));
        with_work += usize::from(watched.told_of(&pressed) < pressed.len());
        for (processes, role) in [(&mut processors, "processors"), (&mut sinks, "sinks")] {
            processes.remove(0).kill_all();
            processes.push(start(&watched.deployment, role));
        }
    }
    wait_until("the desk knows of every emergency", || watched.told_of(&pressed) == pressed.len());
    println!("{} emergencies, {ROUNDS} rounds of kills of every role, {with_work} of them with pages pending", pressed.len());
    assert!(with_work > 0, "no kill hit a page that was under way");
    let unknown: Vec<_> = watched.desk.told().into_iter().filter(|told| !pressed.contains_key(told.alert_id())).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let undelivered = "SELECT count() FROM emergencies_undelivered";
    wait_until("the tables know it", || watched.deployment.folder.number(undelivered) == 0);
}

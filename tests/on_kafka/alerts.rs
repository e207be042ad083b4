//! Emergencies on real Kafka with real processes, from the publisher to a desk that is paged.

use super::{Deployment, shared_kafka};
use crate::support::desk::SafetyDesk;
use crate::support::folder::{Running, wait_until};
use crate::support::{Random, is_long};
use fieldline_log::kafka::{KafkaConfig, KafkaLog};
use fieldline_producers::{Publisher, PublisherConfig};
use fieldline_schemas::events::{ActivityType, TechnicianActivity};
use fieldline_schemas::ids::{EventId, TechnicianId};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime};
use uuid::Uuid;

const PARTITIONS: u32 = 8;
const FLUSH_WAIT_MAX: Duration = Duration::from_secs(30);

/// A deployment whose alerts go to a desk.
struct Watched {
    deployment: Deployment,
    desk: SafetyDesk,
    publisher: Publisher,
}

impl Watched {
    fn new(brokers: &str) -> Self {
        let desk = SafetyDesk::start();
        let mut deployment = Deployment::new(brokers, PARTITIONS);
        let receivers = format!("[[receivers]]\nname = \"desk\"\nchannel = \"webhook\"\nurl = \"{}\"\nin_flight_max = 64\n", desk.url);
        let file = deployment.folder.write("fieldline.toml", &[receivers]);
        deployment.settings.extend(["--config".to_owned(), file]);
        let prefix = deployment.settings.iter().find_map(|setting| setting.strip_prefix("topics.prefix=")).unwrap().to_owned();
        let log = KafkaLog::open(KafkaConfig { brokers: brokers.to_owned(), ..KafkaConfig::default() }).unwrap();
        let settings = PublisherConfig { prefix, makes_topics: false, ..PublisherConfig::default() };
        Self { deployment, desk, publisher: Publisher::new(log, settings).unwrap() }
    }

    /// A technician's button; the alert's id.
    fn press(&mut self, technician: TechnicianId) -> String {
        let common = self.publisher.new_common();
        let id = common.id;
        let activity = TechnicianActivity {
            common,
            technician_contact_id: technician,
            activity_type: ActivityType::EmergencyStop,
            visit_id: None,
            vehicle_id: None,
            location: None,
            notes: None,
        };
        self.publisher.publish_activity(activity).unwrap();
        format!("S1:{technician}:{}", EventId(id.0))
    }

    fn told_of(&self, alerts: &BTreeMap<String, SystemTime>) -> usize {
        let told: BTreeSet<String> = self.desk.told().iter().map(|told| told.alert_id().to_owned()).collect();
        alerts.keys().filter(|alert_id| told.contains(*alert_id)).count()
    }

    /// Presses `count` buttons of as many people, one each `pause`, and waits until the desk knows of all: how long each took.
    fn measure(&mut self, count: usize, pause: Duration) -> Vec<Duration> {
        let mut pressed = BTreeMap::new();
        for _ in 0..count {
            let at = SystemTime::now();
            let alert_id = self.press(TechnicianId(Uuid::now_v7()));
            self.publisher.acknowledged().unwrap();
            pressed.insert(alert_id, at);
            std::thread::sleep(pause);
        }
        self.publisher.flush(FLUSH_WAIT_MAX).unwrap();
        wait_until("the desk knows of every emergency", || self.told_of(&pressed) == count);
        let mut first: BTreeMap<String, SystemTime> = BTreeMap::new();
        for told in self.desk.told() {
            first.entry(told.alert_id().to_owned()).or_insert(told.at);
        }
        let mut took: Vec<_> = pressed.iter().map(|(id, at)| first[id].duration_since(*at).unwrap_or_default()).collect();
        took.sort();
        took
    }
}

fn tell(what: &str, took: &[Duration]) {
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    println!("{what}: {} emergencies, press to desk p50 {:?}, p99 {:?}, max {:?}", took.len(), at(0.5), at(0.99), at(1.0));
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

/// Figures, no limits: how long a page takes when nothing else goes on, and while a backlog is worked through.
#[test]
fn how_long_a_page_takes() {
    let Some(kafka) = shared_kafka() else { return };
    let mut watched = Watched::new(&kafka.bootstrap());
    let _processors = watched.deployment.start("processors");
    let _sinks = watched.deployment.start("sinks");
    let count = if is_long() { 1_000 } else { 100 };
    watched.measure(5, Duration::from_millis(200));
    tell("idle", &watched.measure(count, Duration::from_millis(10)));
    let limit = if is_long() { "10000000" } else { "300000" };
    let _feeder = watched.deployment.spawn(&["simulate", "--publish", "--technicians", "20000", "--days", "14", "--limit", limit]);
    std::thread::sleep(Duration::from_secs(3));
    let began = Instant::now();
    tell("beside a backlog", &watched.measure(count, Duration::from_millis(10)));
    println!("measured over {:?}", began.elapsed());
}

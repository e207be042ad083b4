//! The client against a small registry that can misbehave: nothing is lost, nothing is set aside too early, and nobody
//! waits for ever in one place.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod server;

use fieldline_log::memory::MemoryLog;
use fieldline_log::{Append, Destination, Log, Polled, TopicPartition, TopicSpec};
use fieldline_registry::{Deadlines, Registry, RegistryError, RegistryTarget, subject};
use fieldline_schemas::events::Tick;
use fieldline_schemas::wire::schemas;
use fieldline_schemas::{AnyRecord, Kind};
use server::{Model, Mood, Server};
use std::time::{Duration, Instant};

const SHORT: Deadlines =
    Deadlines { connect: Duration::from_millis(200), request: Duration::from_millis(300), total: Duration::from_millis(600) };
const LONG_ENOUGH: Option<Duration> = Some(Duration::from_secs(20));

fn target(url: &str) -> RegistryTarget {
    let mut target = RegistryTarget::new(url, None).unwrap();
    target.deadlines = SHORT;
    target
}

fn registered(server: &Server) -> Registry {
    let registry = Registry::start(target(&server.url())).unwrap();
    assert!(registry.wait_registered(LONG_ENOUGH).unwrap());
    registry
}

fn tick() -> AnyRecord<'static> {
    AnyRecord::Tick(Tick { since: None })
}

/// A tick under `id`.
fn frame(id: u32) -> Vec<u8> {
    let mut single = Vec::new();
    fieldline_schemas::Codec::new().encode(&tick(), &mut single);
    [&[0], &id.to_be_bytes()[..], &single[10..]].concat()
}

fn learn(registry: &Registry, id: u32) -> bool {
    registry.learn([frame(id).as_slice()].into_iter())
}

fn learn_patiently(registry: &Registry, frames: &[Vec<u8>]) {
    while !registry.learn(frames.iter().map(Vec::as_slice)) {}
}

fn reason(registry: &Registry, id: u32) -> &'static str {
    registry.codec().decode(&frame(id)).map_or_else(|rejection| rejection.reason.symbol(), |_| "")
}

/// The schema of somebody else's ticks.
fn foreign_tick() -> String {
    schemas().of(Kind::Tick).json.replace("\"since\"", "\"until\"")
}

#[test]
fn our_schemas_are_registered_once_under_their_own_names_with_our_rule() {
    let server = Server::start(Model::default());
    let registry = registered(&server);
    let mut payload = Vec::new();
    registry.codec().encode(&tick(), &mut payload);
    let subjects = server.change(|model| model.subjects.clone());
    assert_eq!(subjects.len(), Kind::ALL.len());
    for current in schemas().all() {
        let subject = subject(current.kind);
        assert_eq!(subject, current.schema.name().unwrap().fullname(None));
        let [id] = subjects[&subject][..] else { panic!("{subject}") };
        assert_eq!(server.change(|model| model.schemas[&id].clone()), current.json);
        assert_eq!(server.change(|model| model.rules[&subject].clone()), "BACKWARD_TRANSITIVE");
    }
    assert_eq!(payload, frame(subjects["fieldline.tick"][0]));
    assert_eq!(registry.codec().decode(&payload).unwrap(), tick());
    assert_eq!(registry.requests().unwrap().failed, 0);

    // The next process finds them, and changes nothing.
    server.change(|model| model.asked.clear());
    registered(&server);
    let asked = server.change(|model| model.asked.clone());
    assert_eq!(asked.len(), 2 * Kind::ALL.len(), "found, and read back: {asked:?}");
    assert!(!asked.iter().any(|request| request.contains("versions") || request.contains("config")));
}

#[test]
fn a_rule_that_somebody_has_set_stays() {
    let rules = [(subject(Kind::Tick), "NONE".to_owned())].into();
    let server = Server::start(Model { rules, ..Model::default() });
    registered(&server);
    assert_eq!(server.change(|model| model.rules[&subject(Kind::Tick)].clone()), "NONE");
}

#[test]
fn an_unknown_id_is_looked_up_once_and_known_from_then_on() {
    let server = Server::start(Model::default());
    let registry = registered(&server);
    server.change(|model| model.schemas.insert(900, foreign_tick()));
    assert_eq!(reason(&registry, 900), "unknown_schema", "not before it is asked");
    assert!(learn(&registry, 900));
    assert_eq!(registry.codec().decode(&frame(900)).unwrap(), tick());
    // The registry goes away; what is known stays.
    server.change(|model| model.mood = Mood::Mute);
    assert!(learn(&registry, 900) && registry.problem().is_none());
    assert_eq!(registry.codec().decode(&frame(900)).unwrap(), tick());
    let mut ours = Vec::new();
    registry.codec().encode(&tick(), &mut ours);
    assert_eq!(ours[0], 0);
    assert_eq!(server.asked("GET /schemas/ids/900"), 1);
}

/// However a registry fails, the record waits: it is decoded once the registry is back, and is never unknown for good.
#[test]
fn while_the_registry_misbehaves_nothing_is_taken_for_unknown() {
    let failures = [
        Mood::Says(500, "{}".into()),
        Mood::Says(503, "busy".into()),
        Mood::Says(429, String::new()),
        Mood::Says(302, String::new()),
        Mood::Says(401, r#"{"error_code":401}"#.into()),
        Mood::Says(404, "no such page".into()),
        Mood::Says(404, r#"{"error_code":404,"message":"HTTP 404 Not Found"}"#.into()),
        Mood::Says(200, "<html>".into()),
        Mood::Says(200, r#"{"schema":{"type":"record"}}"#.into()),
        Mood::Says(200, "[".repeat(100_000)),
        Mood::Late(Duration::from_secs(3)),
        Mood::Torn,
        Mood::Mute,
        Mood::Endless,
    ];
    let server = Server::start(Model::default());
    for (mood, id) in failures.into_iter().zip(900..) {
        server.change(|model| model.mood = Mood::Well);
        // A process of its own each: otherwise the pauses grow.
        let registry = registered(&server);
        server.change(|model| (model.schemas.insert(id, foreign_tick()), model.mood = mood.clone()));
        let began = Instant::now();
        assert!(!learn(&registry, id), "{mood:?}");
        assert!(!learn(&registry, id), "{mood:?}");
        assert!(began.elapsed() < Duration::from_secs(2), "{mood:?} holds a stage for {:?}", began.elapsed());
        let problem = registry.problem().unwrap();
        assert!(problem.starts_with(&format!("looking up schema id {id}: ")) && problem.len() < 200, "{problem}");
        assert!(registry.requests().unwrap().failed > 0);

        server.change(|model| model.mood = Mood::Well);
        learn_patiently(&registry, &[frame(id)]);
        assert_eq!(registry.codec().decode(&frame(id)).unwrap(), tick(), "{mood:?}");
        assert_eq!(registry.problem(), None);
    }
}

#[test]
fn attempts_are_bounded_while_the_registry_is_down() {
    let server = Server::start(Model::default());
    let registry = registered(&server);
    server.change(|model| model.mood = Mood::Says(500, String::new()));
    let began = Instant::now();
    let mut turns = 0;
    while began.elapsed() < Duration::from_secs(3) {
        assert!(!learn(&registry, 900));
        turns += 1;
    }
    // At 0, 0.25, 0.75 and 1.75 s.
    let asked = server.asked("GET /schemas/ids/900");
    assert!((3..=5).contains(&asked), "asked {asked} times");
    assert!((15..=80).contains(&turns), "{turns} turns: a stage neither spins nor sleeps long");
}

#[test]
fn an_id_that_does_not_exist_is_a_dead_letter_once_that_is_sure() {
    let server = Server::start(Model::default());
    let registry = registered(&server);
    let began = Instant::now();
    assert!(!learn(&registry, 666), "said once it may be a follower that lags");
    learn_patiently(&registry, &[frame(666)]);
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(reason(&registry, 666), "unknown_schema");
    assert!(learn(&registry, 666));
    assert_eq!(server.asked("GET /schemas/ids/666"), 2);

    // The follower that lagged indeed.
    server.change(|model| (model.schemas.insert(901, foreign_tick()), model.lagging.insert(901, 1)));
    learn_patiently(&registry, &[frame(901)]);
    assert_eq!(reason(&registry, 901), "");
}

/// Random bytes look like frames with random ids: they cost a request each, not a pause each.
#[test]
fn many_ids_that_do_not_exist_share_one_doubt() {
    let server = Server::start(Model::default());
    let registry = registered(&server);
    let frames: Vec<_> = (10_000..10_100).map(frame).collect();
    let began = Instant::now();
    learn_patiently(&registry, &frames);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert_eq!(server.asked("GET /schemas/ids/100"), 200);
}

#[test]
fn a_schema_that_cannot_be_read_here_is_a_dead_letter_and_asked_for_once() {
    let server = Server::start(Model::default());
    let registry = registered(&server);
    let stranger = r#"{"type":"record","name":"stranger","fields":[]}"#;
    for (id, text) in [(900, stranger), (901, "syntax = \"proto3\";"), (902, "{}"), (903, "\"string\"")] {
        server.change(|model| model.schemas.insert(id, text.to_owned()));
        assert!(learn(&registry, id) && learn(&registry, id), "{text}");
        assert_eq!(reason(&registry, id), "unknown_schema", "{text}");
        assert_eq!(server.asked(&format!("GET /schemas/ids/{id}")), 1);
    }
}

#[test]
fn while_it_is_down_at_the_start_records_are_single_objects_and_ids_come_later() {
    let server = Server::start(Model { mood: Mood::Mute, ..Model::default() });
    let registry = Registry::start(target(&server.url())).unwrap();
    assert!(!registry.wait_registered(Some(Duration::from_millis(400))).unwrap());
    let codec = registry.codec();
    let mut payload = Vec::new();
    codec.encode(&tick(), &mut payload);
    assert_eq!(payload[..2], [0xC3, 0x01]);
    assert!(registry.learn([payload.as_slice()].into_iter()), "a single object waits for nobody");

    server.change(|model| model.mood = Mood::Well);
    assert!(registry.wait_registered(LONG_ENOUGH).unwrap());
    payload.clear();
    codec.encode(&tick(), &mut payload);
    assert_eq!(payload[0], 0, "the same codec writes the id now");
}

#[test]
fn nothing_listens_there() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let registry = Registry::start(target(&format!("http://{free}"))).unwrap();
    assert!(!registry.wait_registered(Some(Duration::from_millis(300))).unwrap());
    assert!(!learn(&registry, 1));
    assert!(registry.problem().unwrap().contains("cannot be reached"));
}

#[test]
fn an_id_that_means_two_schemas_is_never_written() {
    let server = Server::start(Model { stuck_at: Some(5), ..Model::default() });
    let registry = Registry::start(target(&server.url())).unwrap();
    let error = registry.wait_registered(LONG_ENOUGH).unwrap_err();
    assert!(matches!(error, RegistryError::Meaning { .. }), "{error}");
    let mut payload = Vec::new();
    registry.codec().encode(&tick(), &mut payload);
    assert_eq!(payload[..2], [0xC3, 0x01]);
}

#[test]
fn what_a_person_must_mend_is_told_at_once() {
    let server = Server::start(Model { authorization: Some("Basic dTpzZWNyZXQ=".to_owned()), ..Model::default() });
    let registry = Registry::start(target(&server.url())).unwrap();
    let error = registry.wait_registered(None).unwrap_err().to_string();
    assert_eq!(error, "looking for our schema under fieldline.technician_activity: the schema registry answered 401, code 40101");

    let known = RegistryTarget::new(&format!("{}/", server.url()), Some(("u".to_owned(), "secret".to_owned()))).unwrap();
    assert!(!format!("{known:?}").contains("secret"));
    assert!(Registry::start(known).unwrap().wait_registered(LONG_ENOUGH).unwrap());

    let incompatible = Mood::Says(409, r#"{"error_code":409,"message":"a long text that quotes the schema"}"#.to_owned());
    server.change(|model| model.mood = incompatible);
    let error = Registry::start(target(&server.url())).unwrap().wait_registered(None).unwrap_err().to_string();
    assert!(error.ends_with("the schema registry answered 409, code 409"), "{error}");
}

#[test]
fn addresses_that_cannot_work_are_refused() {
    for (url, word) in [
        ("https://registry:8081", "TLS"),
        ("http://user:secret@registry:8081", "settings of their own"),
        ("registry:8081", "http://host:port"),
        ("http://", "no URL"),
        ("http://registry:8081/?x=1", "path"),
        ("ftp://registry", "http://host:port"),
    ] {
        let error = RegistryTarget::new(url, None).unwrap_err().to_string();
        assert!(error.contains(word) && !error.contains("secret"), "{url}: {error}");
    }
    assert!(RegistryTarget::new("http://registry:8081/apis/ccompat/v7/", None).is_ok());
}

/// What a stage does: the batch is put back, other partitions go on, and nothing is skipped or handled twice.
#[test]
fn a_batch_waits_for_its_schema_while_other_partitions_go_on() {
    let server = Server::start(Model { mood: Mood::Well, ..Model::default() });
    let registry = registered(&server);
    server.change(|model| (model.schemas.insert(900, foreign_tick()), model.mood = Mood::Says(503, String::new())));
    let log = MemoryLog::new(Default::default());
    log.ensure_topic(&TopicSpec { name: "t".to_owned(), partitions: 2, retention: None, compacted: false }).unwrap();
    let mut producer = log.producer().unwrap();
    let mut append = |partition, value: &[u8]| {
        let append = Append { destination: Destination::Partition(partition), key: b"", value, append_time: None };
        producer.append("t", append).unwrap();
    };
    let mut single = Vec::new();
    registry.codec().encode_single_object(&tick(), &mut single);
    for value in [&single, &frame(900), &single] {
        append(0, value);
        append(1, &single);
    }
    producer.flush(Duration::from_secs(5)).unwrap();

    let mut consumer = log.consumer("g", &["t"]).unwrap();
    let (mut handled, mut put_back) = (Vec::new(), 0);
    let began = Instant::now();
    while handled.len() < 6 {
        assert!(began.elapsed() < Duration::from_secs(20), "{handled:?}");
        match consumer.poll(Duration::from_millis(10), 100).unwrap() {
            Polled::Assigned(partitions) => {
                for at in &partitions {
                    consumer.resume_from_committed(at).unwrap();
                }
            }
            Polled::Records(batch) => match registry.admits(&batch, consumer.as_mut()).unwrap() {
                true => handled.extend(batch.iter().map(|record| {
                    assert_eq!(registry.codec().decode(record.value).unwrap(), tick());
                    (batch.partition.partition, record.offset)
                })),
                false => {
                    put_back += 1;
                    if put_back == 5 {
                        assert_eq!(handled.len(), 3, "partition 1 is not held up");
                        server.change(|model| model.mood = Mood::Well);
                    }
                }
            },
            _ => {}
        }
    }
    assert!(put_back >= 5);
    handled.sort_unstable();
    assert_eq!(handled, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]);
    let at = TopicPartition { topic: "t".to_owned(), partition: 0 };
    assert_eq!(log.watermarks(&at).unwrap().end, 3);
}

#[test]
fn without_a_registry_nobody_is_asked() {
    let registry = Registry::default();
    assert!(registry.wait_registered(None).unwrap() && learn(&registry, 7));
    assert_eq!((reason(&registry, 7), registry.requests(), registry.problem()), ("unknown_schema", None, None));
}

//! Topics under which results would be wrong are refused at the start, with what to do.

use super::{Deployment, shared_kafka};

const CONFIGS: &str = "kafka.admin.ConfigCommand";
const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";

#[test]
fn topics_that_are_absent_or_wrong_stop_the_start() {
    let Some(kafka) = shared_kafka() else { return };
    let deployment = Deployment::without_topics(&kafka.bootstrap(), 3);
    let refused = |said: &[&str]| {
        let started = deployment.run(&["run", "--role", "processors"]);
        assert_eq!(started.code, Some(5), "{started:?}");
        assert!(said.iter().all(|text| started.stderr.contains(text)), "{said:?}: {started:?}");
        let checked = deployment.run(&["topics", "check"]);
        assert_eq!(checked.code, Some(1), "{checked:?}");
        assert!(said.iter().all(|text| checked.stdout.contains(text)), "{said:?}: {checked:?}");
    };
    refused(&["activity: topic is absent", "fieldline topics create"]);
    assert_eq!(deployment.run(&["topics", "create"]).code, Some(0));
    let checked = deployment.run(&["topics", "check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");

    let prefix = deployment.prefix();
    let (activity, kpis) = (format!("{prefix}activity"), format!("{prefix}kpis"));
    let set = |topic: &str, config: &str| {
        kafka.tool(CONFIGS, &["--alter", "--entity-type", "topics", "--entity-name", topic, "--add-config", config]);
    };
    set(&activity, "message.timestamp.type=CreateTime");
    refused(&["activity: message.timestamp.type is CreateTime", "LogAppendTime"]);
    set(&activity, "message.timestamp.type=LogAppendTime");
    set(&kpis, "cleanup.policy=compact");
    refused(&["kpis: cleanup.policy is compact"]);
    set(&kpis, "cleanup.policy=delete");
    kafka.tool(TOPICS, &["--alter", "--topic", &activity, "--partitions", "5"]);
    refused(&["activity: partitions is 5, wanted is 3"]);
}

#[test]
fn a_retention_that_lets_nobody_take_over_stops_the_processors() {
    let Some(kafka) = shared_kafka() else { return };
    let deployment = Deployment::new(&kafka.bootstrap(), 1);
    let prefix = deployment.prefix();
    let activity = format!("{prefix}activity");
    let arguments = ["--alter", "--entity-type", "topics", "--entity-name", &activity, "--add-config", "retention.ms=3600000"];
    kafka.tool(CONFIGS, &arguments);
    let stopped = deployment.run(&["run", "--role", "processors"]);
    assert!(stopped.code == Some(5) && stopped.stderr.contains("204 h"), "{stopped:?}");
}

#[test]
fn brokers_that_do_not_answer_are_named() {
    let folder = crate::support::folder::Folder::new();
    // Nobody listens on the discard port.
    let outcome = folder.run(&["--set", "kafka.brokers=127.0.0.1:9", "topics", "check"]);
    assert!(outcome.code == Some(5) && outcome.stderr.contains("127.0.0.1:9"), "{outcome:?}");
}

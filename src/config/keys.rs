//! The table of keys: every setting with its default and its meaning.

/// One setting.
pub struct Key {
    /// Dotted name in the file; `a.b_c` is `FIELDLINE_A_B_C` in the environment.
    pub name: &'static str,
    /// As it would be written in the file, without quotes; empty for "not set".
    pub default: &'static str,
    /// What it means, with its unit.
    pub doc: &'static str,
    /// Never printed; has a `_file` twin that names a file to read it from.
    pub is_secret: bool,
}

const fn key(name: &'static str, default: &'static str, doc: &'static str) -> Key {
    Key { name, default, doc, is_secret: false }
}

pub const KEYS: &[Key] = &[
    key("data_dir", "", "Folder of the embedded log and the embedded ClickHouse. Default: fieldline in the user's data home."),
    key("engine", "", "Path of libchdb, ClickHouse's engine as a library. Default: the cache folder; see `fieldline engine install`."),
    key("log", "warn", "Log filter on standard error: error, warn, info, debug, trace, or per module as in info,fieldline_sinks=debug."),
    key(
        "bulk_nice",
        "10",
        "How far the stages that work by the million (processors, sinks, history, the embedded engine) yield to those of alerts where cores \
         are busy: 0 (not at all) to 19. On Linux only.",
    ),
    key("topics.prefix", "fieldline.", "Text before the name of every topic and consumer group."),
    key("topics.partitions", "8", "Partitions of each topic where it is created. Fixed from then on. 1 to 256."),
    key(
        "log_store.fsync",
        "false",
        "Whether an append waits for the disk (survives power loss), not only for the operating system (survives kill -9).",
    ),
    key("kafka.brokers", "", "host:port list of Apache Kafka. Not set: the embedded log in data_dir."),
    key("kafka.client_id", "fieldline", "What the brokers' logs and quotas call this process."),
    key(
        "kafka.instance_id",
        "",
        "Static membership: a name that only this process has, also after a restart. It then keeps its partitions over a restart \
         within the session timeout. Not set: they move when it stops.",
    ),
    key(
        "kafka.session_timeout_ms",
        "45000",
        "Milliseconds without a sign of life after which a process's partitions go to others. The brokers' own limits apply.",
    ),
    key("kafka.replication_factor", "", "Copies of each topic where `topics create` makes it. Not set: the cluster's default."),
    key("kafka.tls", "false", "Whether connections are encrypted. Needs a build with the feature tls."),
    key("kafka.ca_file", "", "PEM file of the authorities that are believed. Not set: the system's."),
    key("kafka.certificate_file", "", "PEM file of our own certificate, where the brokers ask for one."),
    key("kafka.key_file", "", "PEM file of its key."),
    Key { name: "kafka.key_password", default: "", doc: "The key's password.", is_secret: true },
    key(
        "kafka.sasl_mechanism",
        "",
        "plain, scram-sha-256 or scram-sha-512 (scram needs a build with the feature tls). Not set: no authentication. \
         OAUTHBEARER is set by kafka.properties.",
    ),
    key("kafka.user", "", "User of the SASL mechanism."),
    Key { name: "kafka.password", default: "", doc: "Its password.", is_secret: true },
    Key {
        name: "kafka.properties",
        default: "",
        doc: "Any properties of librdkafka, as name=value separated by spaces. Values may be secrets.",
        is_secret: true,
    },
    key("clickhouse.url", "", "http(s)://host:port of ClickHouse. Not set: the embedded engine in data_dir."),
    key("clickhouse.user", "default", "User of that ClickHouse."),
    Key { name: "clickhouse.password", default: "", doc: "Its password.", is_secret: true },
    key("clickhouse.database", "fieldline", "Database of tables and views; created where it is absent."),
    key("clickhouse.memory_max_mib", "2048", "Memory that the embedded engine may use for queries and merges, in MiB."),
    key("registry.url", "", "http://host:port of a schema registry (Confluent's interface): frames get its ids. Not set: single objects."),
    key("registry.user", "", "User of that registry (basic authentication)."),
    Key { name: "registry.password", default: "", doc: "Its password.", is_secret: true },
    key("sinks.batch_rows", "10000", "Rows from which a batch is inserted at once."),
    key("sinks.linger_ms", "1000", "Milliseconds after which a smaller batch is inserted all the same."),
    key("alerts.escalate_after_seconds", "60", "Seconds after which an emergency that nobody acknowledged goes to its next round (S2)."),
    key("alerts.rounds_max", "5", "Rounds of escalation; after the last one the emergency stays open. 0 to 100."),
    key("alerts.reopen_after_minutes", "30", "Minutes after which an emergency that was acknowledged and not resolved opens again (S3)."),
    key(
        "alerts.give_up_hours",
        "24",
        "Hours after which a receiver that does not answer is given up for a notification; emergencies never.",
    ),
    key(
        "watch.beat_seconds",
        "60",
        "Seconds between the synthetic emergencies by which the pipeline watches itself (S12). They page nobody. 0: none are sent.",
    ),
    key("watch.missed_max", "2", "So many of them missed in a row are an S12."),
    Key {
        name: "watch.ping_url",
        default: "",
        doc: "http(s) address of a switch outside (healthchecks.io or the like) that is asked for (GET) whenever a synthetic emergency \
              has come back through every partition; it raises its own alarm when that ends. Not set: nobody outside watches.",
        is_secret: true,
    },
    Key { name: "watch.ping_authorization", default: "", doc: "Value of the header Authorization of these requests.", is_secret: true },
    key("watch.stalled_seconds", "120", "Seconds after which a partition that is not read on although records wait in it is an S12."),
    key("watch.lag_seconds", "900", "Seconds that a stage may be behind; more of it, for as long as watch.stalled_seconds, is an S12."),
    key("watch.clock_seconds", "60", "Seconds that the log's clock may differ from this machine's, or jump, before that is an S12."),
    key("observe.listen", "", "host:port where `run` serves /metrics, /healthz and /readyz. Not set: nowhere. They name no person."),
    key(
        "api.listen",
        "",
        "host:port where `run` takes actions on alerts over HTTP. Not set: on the embedded log a port of its own on loopback, for the \
         commands on the same folder; on Kafka nowhere.",
    ),
    Key {
        name: "api.token",
        default: "",
        doc: "What requests there must carry as Authorization: Bearer. At least 16 characters.",
        is_secret: true,
    },
    key(
        "definition.number",
        "",
        "To be raised with every change of definition.* on existing data; up to 4095. Not set: the formulas' own.",
    ),
    key("definition.finality_hours", "72", "Hours after the close of a shift, or the last event of a visit, when its row becomes final."),
    key("definition.geofence_radius_meters", "250", "Radius of a visit's geofence in meters where its plan gives none (A20)."),
    key("definition.accuracy_max_meters", "500", "A position less accurate than so many meters is none (A21)."),
    key("definition.missing_end_minutes", "60", "Minutes after the planned end from which a shift_end is missing (A02, S5, S6)."),
    key("flags.quiet_seconds", "60", "Seconds without a record of a technician before a flag about absence opens: a burst raises nothing."),
    key("flags.gap_hold_seconds", "60", "Seconds that flags about absence wait after an outage, for what was held up."),
    key("flags.check_in_minutes", "60", "S4: minutes within which a lone worker in travel, on site or at work is to be heard of."),
    key("flags.check_in_grace_minutes", "5", "S4: minutes that are added to them."),
    key("flags.missing_end_error_hours", "16", "S5: hours after the start of a shift from which its missing end is an error."),
    key("flags.travel_hours", "6", "S7: hours of travel that count as silence."),
    key("flags.device_seconds", "600", "S8: seconds without contact from a device that sends heartbeats."),
    key(
        "flags.sos_event_types",
        "sos,panic_button,man_down,duress",
        "S1: values of event_type, separated by commas, by which an operational_event is an emergency; upper and lower case alike.",
    ),
    key("flags.alarm_minutes", "2", "S10: minutes before and after a grave operational_event within which an emergency_stop goes with it."),
    key("flags.window_minutes", "15", "S11: minutes after the end of a visit's window without an arrival."),
    key("flags.unresolved_minutes", "30", "S13: minutes within which a critical operational_event is to be resolved."),
    key("flags.queue_window_minutes", "30", "S14: minutes of which the service level of a queue is judged."),
    key("flags.queue_calls_min", "10", "S14: where at least so many calls were offered in them."),
    key("flags.queue_wait_seconds", "20", "S14: seconds of waiting within which a call is answered in time."),
    key("flags.queue_target_percent", "80", "S14: per cent of calls that are to be answered in time (formula F4)."),
];

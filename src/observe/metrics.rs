//! Every metric, defined once: name, kind, labels, meaning. What is written is what stands in this table.

use crate::pipeline::Watched;
use fieldline_log::TopicPartition;
use fieldline_registry::Requests;
use fieldline_schemas::alerts::DeliveryOutcome;
use fieldline_sinks::Observed;
use fieldline_sinks::watch::WatchControl;
use std::fmt::Write;
use std::sync::atomic::Ordering;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// One metric.
struct Metric {
    name: &'static str,
    kind: Kind,
    help: &'static str,
}

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, help }
}
const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, help }
}
const fn histogram(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram, help }
}

const UP: Metric = gauge("fieldline_up", "1 while every stage of this process works");
const READY: Metric = gauge("fieldline_ready", "1 when nothing is being rebuilt and every stage works; /readyz says why not");
const LAG_RECORDS: Metric = gauge("fieldline_lag_records", "Records of an owned partition that the stage has not read yet");
const LAG_SECONDS: Metric =
    gauge("fieldline_lag_seconds", "Age of the last record that the stage has read, by its append time; 0 at the end of a partition");
const RECORDS: Metric = counter("fieldline_records_total", "Records read by the stage, ticks included");
const DEAD_LETTERS: Metric = counter("fieldline_dead_letters_total", "Records set aside because they could not be understood");
const COMMITS: Metric = counter("fieldline_commits_total", "Commits of offsets");
const RESULTS: Metric = counter("fieldline_results_total", "Rows and tombstones published to kpis");
const FLAGS: Metric = counter("fieldline_flags_total", "Flags raised, changed or withdrawn by the processors");
const RECOMPUTES: Metric = counter("fieldline_recompute_requests_total", "Requests to compute the past again");
const FOLDS: Metric = counter("fieldline_folds_total", "Derivations of a technician's rows");
const TIMERS: Metric = counter("fieldline_timers_total", "Rows that time alone changed: a missing end, finality");
const DUPLICATES: Metric = counter("fieldline_duplicates_total", "Records that repeat what is known");
const MISPLACED: Metric = counter("fieldline_misplaced_total", "Records found in another partition than their key's, appended to that one");
const GAPS: Metric = counter("fieldline_clock_gaps_total", "Steps of a partition's clock beyond ten seconds that no tick vouches for");
const TECHNICIANS: Metric = gauge("fieldline_technicians", "Technicians of whom something lies within the live window");
const REBUILD: Metric = gauge("fieldline_rebuild_ratio", "How much of the replay of an owned partition is done; 1 when none is going on");
const ROWS: Metric = counter("fieldline_rows_total", "Rows acknowledged by ClickHouse, or published by history");
const RETRIES: Metric = counter("fieldline_insert_retries_total", "Inserts that failed and were tried again");
const INSERT_ROWS: Metric = histogram("fieldline_insert_rows", "Rows of an insert");
const INSERT_SECONDS: Metric =
    histogram("fieldline_insert_seconds", "From an insert's first attempt to its acknowledgement or its being given up");
const SCHEMA_REQUESTS: Metric = counter("fieldline_schema_registry_requests_total", "Requests to the schema registry, by how they ended");
const ENGINE_RESTARTS: Metric = counter("fieldline_engine_restarts_total", "Times that the embedded engine's process was started again");
const DELIVERIES: Metric = counter("fieldline_deliveries_total", "Attempts to tell a receiver of an alert, by how they ended");
const DELIVERY_REPEATS: Metric =
    counter("fieldline_delivery_repeats_total", "Open alerts told again to a receiver that forgets them, by how that ended");
const DELIVERIES_OWED: Metric = gauge("fieldline_deliveries_owed", "Alerts of which a receiver is owed a notification");
const DELIVERY_OWED_SECONDS: Metric =
    gauge("fieldline_delivery_owed_seconds", "Age of the oldest notification that a receiver is owed; 0 when none is");

const BEAT_AGE: Metric = gauge(
    "fieldline_watch_beat_age_seconds",
    "How long ago a synthetic emergency last came back through lane and lifecycle of every partition",
);
const BEAT_SECONDS: Metric = histogram("fieldline_watch_beat_seconds", "From the append of a synthetic emergency to its return");
const PINGS: Metric = counter("fieldline_watch_pings_total", "Pings of the switch outside, by how they ended");
const STANDING: Metric = gauge("fieldline_watch_standing", "1 for each component of which an S12 stands in the eyes of this process");

#[cfg(test)]
const ALL: &[Metric] = &[
    BEAT_AGE,
    BEAT_SECONDS,
    PINGS,
    STANDING,
    DELIVERIES,
    DELIVERY_REPEATS,
    DELIVERIES_OWED,
    DELIVERY_OWED_SECONDS,
    UP,
    READY,
    LAG_RECORDS,
    LAG_SECONDS,
    RECORDS,
    DEAD_LETTERS,
    COMMITS,
    RESULTS,
    RECOMPUTES,
    FOLDS,
    TIMERS,
    DUPLICATES,
    MISPLACED,
    GAPS,
    TECHNICIANS,
    REBUILD,
    ROWS,
    RETRIES,
    INSERT_ROWS,
    INSERT_SECONDS,
    SCHEMA_REQUESTS,
    ENGINE_RESTARTS,
];

/// Builds the text form, metric by metric.
#[derive(Default)]
struct Page(String);

impl Page {
    /// One metric with all its series: labels as `name="value"` pairs, and the value.
    fn put(&mut self, metric: &Metric, series: impl IntoIterator<Item = (String, f64)>) {
        let mut series = series.into_iter().peekable();
        if series.peek().is_some() {
            self.head(metric);
        }
        for (labels, value) in series {
            self.line(metric.name, "", &labels, value);
        }
    }

    fn put_histograms(&mut self, metric: &Metric, series: impl IntoIterator<Item = (String, Observed)>) {
        let mut series = series.into_iter().peekable();
        if series.peek().is_some() {
            self.head(metric);
        }
        for (labels, observed) in series {
            let comma = if labels.is_empty() { "" } else { "," };
            for (bound, count) in &observed.cumulative {
                self.line(metric.name, "_bucket", &format!("{labels}{comma}le=\"{bound}\""), *count as f64);
            }
            self.line(metric.name, "_bucket", &format!("{labels}{comma}le=\"+Inf\""), observed.count as f64);
            self.line(metric.name, "_sum", &labels, observed.sum);
            self.line(metric.name, "_count", &labels, observed.count as f64);
        }
    }

    fn head(&mut self, metric: &Metric) {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        _ = writeln!(self.0, "# HELP {0} {1}\n# TYPE {0} {kind}", metric.name, metric.help);
    }

    fn line(&mut self, name: &str, suffix: &str, labels: &str, value: f64) {
        _ = match labels {
            "" => writeln!(self.0, "{name}{suffix} {value}"),
            _ => writeln!(self.0, "{name}{suffix}{{{labels}}} {value}"),
        };
    }
}

fn stage(name: &str) -> String {
    format!("stage=\"{name}\"")
}

fn place(stage: &str, at: &TopicPartition) -> String {
    format!("stage=\"{stage}\",topic=\"{}\",partition=\"{}\"", at.topic, at.partition)
}

/// The page that Prometheus reads.
pub fn render(watched: &Watched) -> String {
    let mut page = Page::default();
    let problems = watched.problems();
    page.put(&UP, [(String::new(), f64::from(!watched.is_down()))]);
    page.put(&READY, [(String::new(), f64::from(problems.is_empty()))]);

    let processed = watched.processors.snapshot();
    let readings = watched.readings();
    page.put(&LAG_RECORDS, readings.iter().map(|(stage, at, reading)| (place(stage, at), reading.lag_records() as f64)));
    let now_us = super::now_us();
    let age = |reading: &fieldline_log::Reading| match reading.append_time {
        Some(at) if reading.lag_records() > 0 => ((now_us - at.0) as f64 / 1e6).max(0.0),
        _ => 0.0,
    };
    page.put(&LAG_SECONDS, readings.iter().map(|(stage, at, reading)| (place(stage, at), age(reading))));

    let of_sinks = |count: fn(&fieldline_sinks::SinkControl) -> u64| {
        watched.sinks.iter().map(move |(name, control)| (stage(name), count(control) as f64)).collect::<Vec<_>>()
    };
    let totals = watched.processors.totals();
    let of_processors = |count: u64| watched.has_processors.then(|| (stage("processors"), count as f64));
    let both = |own: u64, count: fn(&fieldline_sinks::SinkControl) -> u64| {
        of_processors(own).into_iter().chain(of_sinks(count)).collect::<Vec<_>>()
    };
    page.put(&RECORDS, both(totals.counters.records, |c| c.records.load(Ordering::Relaxed)));
    page.put(&DEAD_LETTERS, both(totals.dead_letters, |c| c.dead_letters.load(Ordering::Relaxed)));
    page.put(&COMMITS, of_sinks(|c| c.commits.load(Ordering::Relaxed)));
    page.put(&RESULTS, of_processors(totals.kpis));
    page.put(&RECOMPUTES, of_processors(totals.recompute_requests));
    page.put(&FLAGS, of_processors(totals.flags));
    page.put(&FOLDS, of_processors(totals.counters.folds));
    page.put(&TIMERS, of_processors(totals.counters.timers));
    page.put(&DUPLICATES, of_processors(totals.counters.duplicates));
    page.put(&MISPLACED, of_processors(totals.counters.misplaced));
    page.put(&GAPS, of_processors(totals.counters.gaps));
    page.put(&TECHNICIANS, processed.iter().map(|(at, p)| (place("processors", at), p.technicians as f64)));
    page.put(&REBUILD, processed.iter().map(|(at, p)| (place("processors", at), p.rebuilt())));
    page.put(&ROWS, of_sinks(|c| c.rows.load(Ordering::Relaxed)));
    page.put(&RETRIES, of_sinks(|c| c.retries.load(Ordering::Relaxed)));
    let observed = |of: fn(&fieldline_sinks::SinkControl) -> Observed| {
        watched.sinks.iter().map(move |(name, control)| (stage(name), of(control))).collect::<Vec<_>>()
    };
    page.put_histograms(&INSERT_ROWS, observed(|c| c.insert_rows.observed()));
    page.put_histograms(&INSERT_SECONDS, observed(|c| c.insert_seconds.observed()));
    let requests = watched.schemas.requests().map(|Requests { answered, failed }| [("answered", answered), ("failed", failed)]);
    page.put(&SCHEMA_REQUESTS, requests.into_iter().flatten().map(|(result, count)| (format!("result=\"{result}\""), count as f64)));
    put_delivery(&mut page, watched, now_us);
    put_watch(&mut page, &watched.watch, now_us);
    page.put(&ENGINE_RESTARTS, watched.engine_restarts.iter().map(|restarts| (String::new(), restarts() as f64)));
    page.0
}

fn put_delivery(page: &mut Page, watched: &Watched, now_us: i64) {
    let receivers = &watched.delivery.receivers;
    let named = |name: &str, outcome: &str| format!("receiver=\"{name}\",outcome=\"{outcome}\"");
    let of = |name: &str| format!("receiver=\"{name}\"");
    let attempts = receivers.iter().flat_map(|receiver| {
        DeliveryOutcome::ALL.iter().map(|outcome| (named(&receiver.name, outcome.symbol()), receiver.attempts(*outcome) as f64))
    });
    page.put(&DELIVERIES, attempts);
    let repeats = receivers.iter().flat_map(|receiver| {
        [("acknowledged", &receiver.repeated), ("failed", &receiver.repeats_failed)]
            .map(|(outcome, count)| (named(&receiver.name, outcome), count.load(Ordering::Relaxed) as f64))
    });
    page.put(&DELIVERY_REPEATS, repeats);
    page.put(&DELIVERIES_OWED, receivers.iter().map(|receiver| (of(&receiver.name), receiver.owed() as f64)));
    let age = |since: fieldline_schemas::Timestamp| ((now_us - since.0) as f64 / 1e6).max(0.0);
    page.put(&DELIVERY_OWED_SECONDS, receivers.iter().map(|receiver| (of(&receiver.name), receiver.owed_since().map_or(0.0, age))));
}

fn put_watch(page: &mut Page, watch: &WatchControl, now_us: i64) {
    // Where no beats are sent, none is old.
    let Some(whole_at) = watch.whole_at() else {
        return page.put(&STANDING, standing(watch));
    };
    page.put(&BEAT_AGE, [(String::new(), ((now_us - whole_at.0) as f64 / 1e6).max(0.0))]);
    page.put_histograms(&BEAT_SECONDS, [(String::new(), watch.beat_seconds.observed())]);
    let pings = [("acknowledged", &watch.pinged), ("failed", &watch.pings_failed)];
    page.put(&PINGS, pings.map(|(outcome, count)| (format!("outcome=\"{outcome}\""), count.load(Ordering::Relaxed) as f64)));
    page.put(&STANDING, standing(watch));
}

fn standing(watch: &WatchControl) -> Vec<(String, f64)> {
    watch.standing().into_iter().map(|(component, _)| (format!("component=\"{component}\""), 1.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules() {
        for metric in ALL {
            assert!(metric.name.starts_with("fieldline_"), "{}", metric.name);
            assert_eq!(metric.kind == Kind::Counter, metric.name.ends_with("_total"), "{}", metric.name);
            assert!(!metric.help.contains('\n') && !metric.help.is_empty(), "{}", metric.name);
            assert_eq!(ALL.iter().filter(|other| other.name == metric.name).count(), 1, "{} is defined twice", metric.name);
        }
    }

    #[test]
    fn a_page_is_what_prometheus_reads() {
        let mut page = Page::default();
        page.put(&ROWS, [("stage=\"raw-sink\"".to_owned(), 5.0)]);
        page.put(&RETRIES, []);
        let observed = Observed { cumulative: vec![(0.5, 1)], count: 2, sum: 3.25 };
        page.put_histograms(&INSERT_SECONDS, [("stage=\"raw-sink\"".to_owned(), observed)]);
        let lines: Vec<&str> = page.0.lines().filter(|line| !line.starts_with("# HELP")).collect();
        assert_eq!(
            lines,
            [
                "# TYPE fieldline_rows_total counter",
                "fieldline_rows_total{stage=\"raw-sink\"} 5",
                "# TYPE fieldline_insert_seconds histogram",
                "fieldline_insert_seconds_bucket{stage=\"raw-sink\",le=\"0.5\"} 1",
                "fieldline_insert_seconds_bucket{stage=\"raw-sink\",le=\"+Inf\"} 2",
                "fieldline_insert_seconds_sum{stage=\"raw-sink\"} 3.25",
                "fieldline_insert_seconds_count{stage=\"raw-sink\"} 2",
            ]
        );
    }
}

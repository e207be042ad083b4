//! What is stored does not depend on what the log is made of, or on how many processes share the work.

use super::{Deployment, shared_kafka};
use crate::support::folder::Folder;
use crate::support::views::{ABOUT_ARRIVAL, ALL, ROUNDED, Snapshot};
use crate::support::{events, is_long};
use std::io::Write as _;

const PARTITIONS: u32 = 12;
const TECHNICIANS: u32 = 500;
/// With FIELDLINE_LONG set.
const TECHNICIANS_LONG: u32 = 10_000;

#[test]
fn simulated_days_give_the_same_views_in_five_processes_as_in_one() {
    let Some(kafka) = shared_kafka() else { return };
    let technicians = if is_long() { TECHNICIANS_LONG } else { TECHNICIANS };
    let lines = events::undisputed(events::simulated(technicians, 2, 61, "heavy"));
    let embedded = Folder::new();
    let file = embedded.write("days.ndjson", &lines);
    embedded.import(&[&file]);

    let deployment = Deployment::new(&kafka.bootstrap(), PARTITIONS);
    let _roles = ["processors", "processors", "sinks", "sinks"].map(|role| deployment.start(role));
    deployment.import(&file);
    assert_same_checksums(&embedded, &deployment.folder);
    if !is_long() {
        let (this, that) = (Snapshot::of(&embedded), Snapshot::of(&deployment.folder));
        this.assert_same(&that, ABOUT_ARRIVAL, "on Kafka, in five processes");
    }
    deployment.verify();
}

/// Views of any size: every cell of every row, in a sum that does not depend on their order.
fn assert_same_checksums(this: &Folder, that: &Folder) {
    for view in ALL {
        let has = this.rows(&format!("SELECT name FROM system.columns WHERE table = '{}' AND database = 'fieldline'", view.name));
        let left_out: Vec<&str> =
            has.iter().map(|row| row[0].as_str()).filter(|n| ABOUT_ARRIVAL.contains(n) || ROUNDED.contains(n)).collect();
        let query = format!("SELECT count(), sum(cityHash64(toString(tuple(* EXCEPT ({}))))) FROM {}", left_out.join(", "), view.name);
        assert_eq!(this.rows(&query), that.rows(&query), "{}", view.name);
    }
}

#[test]
fn real_records_give_the_same_views_on_kafka() {
    let Ok(file) = std::env::var("FIELDLINE_EMS_FILE") else {
        _ = writeln!(std::io::stderr(), "left out: real records on Kafka (FIELDLINE_EMS_FILE names no file)");
        return;
    };
    let Some(kafka) = shared_kafka() else { return };
    let embedded = Folder::new();
    embedded.ok(&["import", &file]);
    let deployment = Deployment::new(&kafka.bootstrap(), PARTITIONS);
    let _roles = ["processors", "processors", "sinks", "sinks"].map(|role| deployment.start(role));
    deployment.import(&file);
    Snapshot::of(&embedded).assert_same(&Snapshot::of(&deployment.folder), ABOUT_ARRIVAL, "real records on Kafka");
    assert!(deployment.folder.number("SELECT count() FROM visits") > 0);
    deployment.verify();
}

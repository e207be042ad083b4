//! Which record comes first is its place in the log, which a broker's clock that is set back does not change; and what the
//! newest time and the newest place are.

use crate::setup::{TestDatabase, activity, at, call, event, operation, technician};
use fieldline_schemas::events::{ActivityType, DeviceHeartbeat, Location, TechnicianActivity};
use fieldline_schemas::time::SECOND_US;
use fieldline_schemas::{AnyRecord, content_hash};
use fieldline_sinks_rows::{ActivityRows, CallRows, Fact, FactRows, OperationRows, Position};

/// The broker's clock goes back by a second with each record: partitions are led by another broker, or somebody sets it.
fn backwards(offset: i64) -> Position {
    Position { partition: 2, offset, received_at: at(0) - offset * SECOND_US }
}

#[test]
fn of_conflicting_records_the_first_in_the_log_stands_also_where_its_clock_goes_back() {
    let test = TestDatabase::new("clock_back");
    let mut rows = ActivityRows::default();
    for (offset, notes) in [(0, "first"), (1, "second"), (2, "first")] {
        let record = TechnicianActivity { notes: Some(notes.into()), ..activity(1, 0, ActivityType::WorkStarted) };
        rows.push(backwards(offset), content_hash(&AnyRecord::from(record.clone())), &record);
    }
    test.insert("technician_activity_log", &rows);
    test.check("SELECT notes, offset FROM technician_activity", &["first\t0"]);
    test.check("SELECT records, standing, duplicates, conflicts FROM data_quality", &["3\t1\t1\t1"]);
}

#[test]
fn of_updates_of_one_time_the_last_in_the_log_counts_also_where_its_clock_goes_back() {
    let test = TestDatabase::new("clock_back_updates");
    let mut rows = OperationRows::default();
    let open = operation(1, 0);
    let mut resolved = open.clone();
    resolved.resolved_at = Some(at(5));
    // Resolved, and then an old update is sent again.
    for (offset, record) in [(0, &open), (1, &resolved), (2, &open)] {
        rows.push(backwards(offset), content_hash(&AnyRecord::OperationalEvent(record.clone())), record);
    }
    test.insert("operational_event_log", &rows);
    test.check("SELECT resolved_at IS NOT NULL, offset FROM operational_event", &["1\t1"]);
    test.check("SELECT resolve_seconds, updates, reopened, open_seconds FROM incidents", &["300\t2\tfalse\t\\N"]);
    test.check("SELECT records, standing, duplicates FROM data_quality", &["3\t1\t1"]);
}

/// Whoever else is at work moves the time by which an open incident grows older.
#[test]
fn an_open_incident_grows_older_while_no_operational_event_comes() {
    let test = TestDatabase::new("incident_clock");
    let mut rows = OperationRows::default();
    rows.push(Position { partition: 0, offset: 0, received_at: at(0) }, 1, &operation(1, 0));
    test.insert("operational_event_log", &rows);
    test.check("SELECT open_seconds FROM incidents", &["0"]);
    let mut rows = ActivityRows::default();
    rows.push(Position { partition: 0, offset: 0, received_at: at(30) }, 1, &activity(2, 0, ActivityType::ShiftStart));
    test.insert("technician_activity_log", &rows);
    test.check("SELECT open_seconds FROM incidents", &["1800"]);
    let mut rows = CallRows::default();
    rows.push(Position { partition: 0, offset: 0, received_at: at(20) }, 1, &call(3, None));
    test.insert("communication_call_details_log", &rows);
    test.check("SELECT open_seconds FROM incidents", &["1800"]);
    let heartbeat = heartbeat(40, None);
    let mut rows = FactRows::default();
    rows.push(Position { partition: 0, offset: 1, received_at: at(45) }, 1, Fact::DeviceHeartbeat(&heartbeat), b"p");
    test.insert("technician_facts_log", &rows);
    test.check("SELECT open_seconds FROM incidents", &["2700"]);
    test.check("SELECT open_seconds_max FROM incident_statistics WHERE grouped_by = 'all'", &["2700"]);
}

fn heartbeat(minutes: i64, location: Option<Location<'static>>) -> DeviceHeartbeat<'static> {
    DeviceHeartbeat {
        device_id: "phone".into(),
        technician_contact_id: technician(1),
        created_at: at(minutes),
        battery_percent: None,
        location,
    }
}

/// A dispatcher wants the newest place that is known, whoever tells it: a heartbeat, and a second tap of a button, too.
#[test]
fn the_newest_place_counts_also_of_a_heartbeat_and_of_a_double_tap() {
    let test = TestDatabase::new("newest_place");
    let place = |latitude| Some(Location { latitude: Some(latitude), longitude: Some(7.0), accuracy_meters: None, address: None });
    let mut rows = ActivityRows::default();
    let tap = |number, minutes, latitude| TechnicianActivity {
        location: place(latitude),
        ..activity(number, minutes, ActivityType::ArrivedOnSite)
    };
    rows.push(Position { partition: 0, offset: 0, received_at: at(0) }, 1, &tap(1, 10, 1.0));
    rows.push(Position { partition: 0, offset: 1, received_at: at(0) }, 2, &tap(2, 11, 2.0));
    test.insert("technician_activity_log", &rows);
    let shown = "SELECT latitude, located_at, activity_type, event_id, device_id FROM technician_positions";
    test.check("SELECT count() FROM near_duplicates", &["1"]);
    test.check(shown, &[&format!("2\t2026-03-02 08:11:00.000000\tarrived_on_site\t{}\t\\N", event(2))]);

    // Nowhere, out of range, older, of the same moment; then a later one.
    let mut offset = 1;
    let mut beat = |minutes, location| {
        offset += 1;
        let mut rows = FactRows::default();
        let beat = heartbeat(minutes, location);
        rows.push(Position { partition: 0, offset, received_at: at(60) }, 0, Fact::DeviceHeartbeat(&beat), b"p");
        test.insert("technician_facts_log", &rows);
    };
    for (minutes, location) in [(30, None), (31, place(90.5)), (5, place(5.0)), (11, place(6.0))] {
        beat(minutes, location);
    }
    test.check(shown, &[&format!("2\t2026-03-02 08:11:00.000000\tarrived_on_site\t{}\t\\N", event(2))]);
    beat(12, place(3.0));
    test.check(shown, &["3\t2026-03-02 08:12:00.000000\t\\N\t\\N\tphone"]);
}

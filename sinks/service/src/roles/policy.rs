//! Which role sees which view, and of it which columns. What is not listed is seen by nobody.

/// Whoever reads without being the pipeline or its administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Figures: no free text, no positions, pseudonyms for people.
    Analyst,
    /// The desk that answers alerts: names, positions, what was written; no recordings.
    Safety,
    /// Working time and evidence: people by their ids and names; no free text, no positions.
    Compliance,
    /// Recordings and transcripts of calls, and nothing else.
    Recordings,
}

use Role::{Analyst, Compliance, Recordings, Safety};

impl Role {
    pub const ALL: [Self; 4] = [Analyst, Safety, Compliance, Recordings];

    pub const fn name(self) -> &'static str {
        match self {
            Analyst => "analyst",
            Safety => "safety",
            Compliance => "compliance",
            Recordings => "recordings",
        }
    }
}

/// Every view, and who sees it.
pub const VIEWS: &[(&str, &[Role])] = &[
    ("adherence_days", &[Analyst, Compliance]),
    ("alarms_without_emergency", &[Analyst, Safety, Compliance]),
    ("alert_actions", &[Analyst, Safety, Compliance]),
    ("alert_deliveries", &[Analyst, Safety, Compliance]),
    ("alerts", &[Analyst, Safety, Compliance]),
    ("alerts_history", &[Analyst, Safety, Compliance]),
    ("call_backs", &[Analyst]),
    ("call_journeys", &[Analyst]),
    ("call_repeats", &[Analyst]),
    ("calls", &[Analyst]),
    ("calls_after_visits", &[Analyst]),
    ("calls_during_travel", &[Analyst]),
    ("communication_call_details", &[Analyst, Recordings]),
    ("contacts", &[Analyst, Safety, Compliance]),
    ("data_quality", &[Analyst, Compliance]),
    ("dead_letters", &[Compliance]),
    ("emergencies_undelivered", &[Safety, Compliance]),
    ("first_time_fixes", &[Analyst, Compliance]),
    ("incident_statistics", &[Analyst, Safety, Compliance]),
    ("incidents", &[Analyst, Safety]),
    ("job_fixes", &[Analyst, Compliance]),
    ("log_clock", &[Analyst, Safety, Compliance]),
    ("near_duplicates", &[Analyst, Compliance]),
    ("operational_event", &[Analyst, Safety]),
    ("plan_adherence", &[Analyst, Compliance]),
    ("punctuality_days", &[Analyst, Compliance]),
    ("queue_days", &[Analyst]),
    ("queue_repeats", &[Analyst]),
    ("queue_sentiment", &[Analyst]),
    ("queue_service_levels", &[Analyst]),
    ("queue_service_levels_by_threshold", &[Analyst]),
    ("safety_board", &[Safety]),
    ("shift_adherence", &[Analyst, Compliance]),
    ("shift_plans", &[Analyst, Safety, Compliance]),
    ("shifts", &[Analyst, Safety, Compliance]),
    ("shifts_history", &[Analyst, Compliance]),
    ("silences", &[Analyst, Safety, Compliance]),
    ("team_weeks", &[Analyst, Compliance]),
    ("technician_activity", &[Analyst, Safety, Compliance]),
    ("technician_activity_order", &[Analyst, Safety, Compliance]),
    ("technician_days", &[Analyst, Compliance]),
    ("technician_positions", &[Safety]),
    ("technician_timeline", &[Analyst, Safety, Compliance]),
    ("technician_travels", &[Analyst, Compliance]),
    ("technician_weeks", &[Analyst, Compliance]),
    ("visit_incidents", &[Analyst, Safety]),
    ("visit_plans", &[Analyst, Safety, Compliance]),
    ("visit_punctuality", &[Analyst, Compliance]),
    ("visits", &[Analyst, Safety, Compliance]),
    ("visits_history", &[Analyst, Compliance]),
];

/// What a role sees in place of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    AsItIs,
    /// A keyed hash of the person's id: the same person is the same everywhere.
    Pseudonym,
    Nothing,
}

const RECORDINGS: &[&str] = &["recording_url", "transcription"];
/// The original bytes of records: they hold everything.
const BYTES: &[&str] = &["payload", "key"];
const POSITIONS: &[&str] = &["location", "latitude", "longitude", "accuracy_meters", "address", "located_at", "position_age_seconds"];
/// Of text that a table does not bound to few words, what names no person and is written by no person.
const HARMLESS_TEXT: &[&str] = &["source", "team", "cause", "state", "detail", "last_detail", "queue_name", "sentiment_scale"];
/// What leads to one person although it is no id.
const LEADS_TO_A_PERSON: &[&str] = &["device_id", "device_sequence"];
/// Ids of things and events; an id that is not listed may be a person's, or lead to one, as a vehicle's does.
const IDS_OF_THINGS: &[&str] = &[
    "call_id",
    "caused_by",
    "communication_message_id",
    "event_id",
    "first_visit_id",
    "id",
    "incident_id",
    "job_id",
    "next_visit_id",
    "plan_id",
    "root_call_id",
    "shift_id",
    "stands_for_id",
    "thread_id",
    "visit_id",
];
/// Text that holds a technician's id.
const HOLDS_AN_ID: &[&str] = &["alert_id", "subject", "counted_on"];

/// What a role sees of a column of a view that it sees. Text that nobody has looked at is shown to the desk only.
pub fn shown(role: Role, view: &str, column: &str, kind: &str) -> Shown {
    let is_text = kind.contains("String") && !kind.starts_with("LowCardinality") && !kind.starts_with("Array(LowCardinality");
    let is_person = column.ends_with("_contact_id") || column.ends_with("_contact_ids") || (view, column) == ("contacts", "id");
    let is_withheld = match role {
        Recordings => BYTES.contains(&column),
        Safety => RECORDINGS.contains(&column) || BYTES.contains(&column),
        Compliance | Analyst => {
            let is_known =
                HARMLESS_TEXT.contains(&column) || role == Compliance && (HOLDS_AN_ID.contains(&column) || column == "display_name");
            let is_unknown_id = kind.contains("UUID") && !is_person && !IDS_OF_THINGS.contains(&column);
            let leads = role == Analyst && (LEADS_TO_A_PERSON.contains(&column) || is_unknown_id);
            RECORDINGS.contains(&column) || POSITIONS.contains(&column) || leads || is_text && !is_known
        }
    };
    match (is_withheld, is_person && role == Analyst) {
        (true, _) => Shown::Nothing,
        (false, true) => Shown::Pseudonym,
        (false, false) => Shown::AsItIs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_sees_what_it_is_for() {
        const TEXT: &str = "Nullable(String)";
        let cases = [
            (Analyst, "communication_call_details", "transcription", TEXT, Shown::Nothing),
            (Safety, "communication_call_details", "transcription", TEXT, Shown::Nothing),
            (Compliance, "communication_call_details", "recording_url", TEXT, Shown::Nothing),
            (Recordings, "communication_call_details", "transcription", TEXT, Shown::AsItIs),
            (Analyst, "technician_activity", "notes", TEXT, Shown::Nothing),
            (Compliance, "technician_activity", "notes", TEXT, Shown::Nothing),
            (Safety, "technician_activity", "notes", TEXT, Shown::AsItIs),
            (Safety, "dead_letters", "payload", "String", Shown::Nothing),
            (Analyst, "technician_positions", "latitude", "Float64", Shown::Nothing),
            (Analyst, "visit_plans", "location", "Tuple(latitude Nullable(Float64), address Nullable(String))", Shown::Nothing),
            (Analyst, "shifts", "technician_contact_id", "UUID", Shown::Pseudonym),
            (Analyst, "contacts", "id", "UUID", Shown::Pseudonym),
            (Analyst, "calls_after_visits", "technician_contact_ids", "Array(UUID)", Shown::Pseudonym),
            (Analyst, "technician_activity", "vehicle_id", "Nullable(UUID)", Shown::Nothing),
            (Compliance, "technician_activity", "vehicle_id", "Nullable(UUID)", Shown::AsItIs),
            (Analyst, "visits", "visit_id", "UUID", Shown::AsItIs),
            (Compliance, "shifts", "technician_contact_id", "UUID", Shown::AsItIs),
            (Analyst, "alerts", "alert_id", "String", Shown::Nothing),
            (Compliance, "alerts", "alert_id", "String", Shown::AsItIs),
            (Analyst, "contacts", "display_name", TEXT, Shown::Nothing),
            (Analyst, "calls", "queue_name", "LowCardinality(Nullable(String))", Shown::AsItIs),
            // What somebody adds tomorrow.
            (Analyst, "shifts", "supervisor", "UUID", Shown::Nothing),
            (Analyst, "shifts", "remark", "String", Shown::Nothing),
            (Compliance, "shifts", "remark", "Array(String)", Shown::Nothing),
        ];
        for (role, view, column, kind, expect) in cases {
            assert_eq!(shown(role, view, column, kind), expect, "{role:?} {view}.{column}");
        }
    }

    #[test]
    fn views_are_listed_once_in_order() {
        assert!(VIEWS.is_sorted_by(|a, b| a.0 < b.0));
    }
}

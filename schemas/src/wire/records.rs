//! The fields of every record, written once.
//!
//! `each_record!` hands the lists to the macro that it is given: the binary codec, the bridge to `apache-avro`, the JSON
//! form, the content hash and the owned copy are all made from them. The order is the order of the Avro schema (a test
//! compares the two). A name in brackets is a group of fields that stand in the record as if they were its own.

macro_rules! each_record {
    ($apply:path) => {
        $apply! {
            Common<'a> [] {
                id, revision, voided, created_at, utc_offset_minutes, recorded_at, device_id, device_sequence, source, imported,
                assigned, metadata,
            }
            Location<'a> [] { latitude, longitude, accuracy_meters, address, }
            TechnicianActivity<'a> [common] { technician_contact_id, activity_type, visit_id, vehicle_id, location, notes, }
            CommunicationCall<'a> [common] {
                communication_message_id, call_type, call_outcome, duration_seconds, wait_time_seconds, recording_url,
                transcription, sentiment_score, sentiment_basis, transferred_to_contact_id, queue_name, ivr_path, channel_type,
                direction, started_at, agent_contact_id, thread_id, root_call_id, abandoned,
            }
            OperationalEvent<'a> [common] {
                event_type, event_category, severity, source_system, title, description, resolved_at, resolved_by_contact_id,
                acknowledged_at, acknowledged_by_contact_id, dedup_key, technician_contact_id, vehicle_id, visit_id,
            }
            ShiftPlan<'a> [] { id, revision, voided, technician_contact_id, planned_start, planned_end, lone_worker, time_zone, }
            VisitPlan<'a> [] {
                id, revision, voided, technician_contact_id, visit_id, window_start, window_end, promised_at, requested_at,
                job_id, priority, location, geofence_radius_meters,
            }
            Contact<'a> [] { id, revision, display_name, team, kind, }
            DeviceHeartbeat<'a> [] { device_id, technician_contact_id, created_at, battery_percent, location, }
            AlertAction<'a> [] { id, created_at, alert_id, action, reason, actor_contact_id, note, }
            Flag<'a> [] {
                alert_id, flag, origin, version, as_of, standing, severity, technician_contact_id, visit_id, caused_by, opened_at,
                about_at, is_late, location, reasoning, resolved_at, resolved_by_contact_id,
            }
            Delivered<'a> [] { receiver, notification, }
            Alert<'a> [stamp] {
                alert_id, flag, severity, technician_contact_id, visit_id, state, step, cause, actor_contact_id, opened_at,
                about_at, notified_at, acknowledged_at, acknowledged_by_contact_id, resolved_at, resolved_by_contact_id,
                resolve_reason, round, reopened, repeats, notification, is_late, is_voided, location, reasoning, note, delivered,
            }
            Delivery<'a> [] {
                alert_id, notification, receiver, channel, attempt, outcome, attempted_at, waited_us, took_us, status, detail,
            }
            Silence<'a> [] {
                id, revision, voided, created_at, until, flag, technician_contact_id, team, actor_contact_id, note,
            }
            Signal<'a> [] { source_topic, source_partition, source_offset, event, technician_contact_id, is_emergency, alert_id, }
            Clearance<'a> [] { id, technician_contact_id, alert_id, created_at, reason, actor_contact_id, }
            Tick [] { since, }
            RecomputeRequest [] { technician_contact_id, event_ids, from, to, partition, offset, clock, caused_by, }
            DeadLetter<'a> [] { topic, partition, offset, received_at, reason, detail, stage, key, payload, }
            Stamp [] { version, as_of, caused_by, }
            Tombstone [] { technician_contact_id, shift_id, visit_id, first_event_id, }
            Measure [] { value_us, lo_us, hi_us, quality, }
            ShiftDurations [] {
                shift, travel, travel_net, work, pause, r#break, site_wait, site_wrap, on_site, emergency, stop, idle,
            }
            ShiftDay [] { local_date, durations, completed_visits, anomalies, }
            ShiftResult [] {
                technician_contact_id, shift_id, shift_date, utc_offset_minutes, started_at, ended_at, closed_at, durations,
                visits, jobs, distance_meters_lower_bound, anomalies, finality, days,
            }
            EpisodeResult [] {
                technician_contact_id, visit_id, first_event_id, first_event_at, last_event_at, settles_at, is_loose,
                has_visit_event, has_travel, has_attendance, first_in_shift_at, shift_id, travel_started_at, arrived_at,
                left_at, completed_at, travel, on_site, site_wait, work, pause, wrap, anomalies, finality,
            }
        }
    };
}
pub(crate) use each_record;

/// A field's name as in schemas and JSON: raw identifiers lose their mark.
pub(crate) fn plain(name: &'static str) -> &'static str {
    name.strip_prefix("r#").unwrap_or(name)
}

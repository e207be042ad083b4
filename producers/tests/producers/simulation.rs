//! The simulator: the same seed gives the same days, with every fault in them.

use chrono::NaiveDate;
use fieldline_producers::simulate::{Body, Emission, FaultKind, Faults, Simulator, SimulatorConfig, time_zone};
use fieldline_schemas::events::{ActivityType as A, DeadLetterReason, TechnicianActivity};
use fieldline_schemas::time::{HOUR_US, MINUTE_US, SECOND_US};
use fieldline_schemas::{AnyRecord, Codec, SosTypes, Timestamp, Topic, content_hash, validate};
use std::collections::{BTreeMap, BTreeSet};

fn config(technicians: u32, days: u32, faults: Faults) -> SimulatorConfig {
    SimulatorConfig { technicians, days, faults, ..SimulatorConfig::default() }
}

fn digest(config: &SimulatorConfig) -> (usize, u64) {
    Simulator::new(config.clone()).unwrap().fold((0, 0), |(n, digest), e| {
        let text = format!("{e:?}");
        (n + 1, digest ^ xxhash_rust::xxh3::xxh3_64_with_seed(text.as_bytes(), n as u64))
    })
}

fn activities(simulator: impl Iterator<Item = Emission>) -> BTreeMap<String, Vec<TechnicianActivity<'static>>> {
    let mut by_technician: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for emission in simulator {
        if let Body::Record(AnyRecord::TechnicianActivity(activity)) = emission.body {
            by_technician.entry(activity.technician_contact_id.to_string()).or_default().push(activity);
        }
    }
    by_technician
}

#[test]
fn a_seed_is_a_simulation() {
    let base = config(80, 3, Faults::heavy());
    let first = digest(&base);
    assert!(first.0 > 5_000);
    assert_eq!(first, digest(&base));
    assert_ne!(first.1, digest(&SimulatorConfig { seed: 2, ..base }).1);
}

/// Emissions come in the order of the broker, from the first local midnight on.
#[test]
fn emissions_are_in_the_order_of_their_append_times() {
    let simulator = Simulator::new(config(150, 4, Faults::heavy())).unwrap();
    let begins_at = simulator.begins_at();
    assert_eq!(begins_at.to_string(), "2025-03-02T23:00:00.000000Z");
    let mut last = begins_at;
    for emission in simulator {
        assert!(emission.at >= last, "{:?} after {last:?}", emission.at);
        last = emission.at;
    }
}

/// Without faults a day is what a planner would recognise.
#[test]
fn days_are_plausible() {
    let technicians = activities(Simulator::new(config(400, 5, Faults::none())).unwrap());
    assert!(technicians.len() > 380);
    let (mut shifts, mut visits, mut work_us, mut shift_us, mut fuel, mut breaks) = (0i64, 0usize, 0i64, 0i64, 0, 0);
    for events in technicians.values() {
        assert!(events.windows(2).all(|w| w[0].common.created_at < w[1].common.created_at));
        let mut day: Vec<&TechnicianActivity<'_>> = Vec::new();
        for event in events {
            day.push(event);
            if event.activity_type != A::ShiftEnd {
                continue;
            }
            assert_eq!(day[0].activity_type, A::ShiftStart);
            assert_eq!(day.iter().filter(|e| e.activity_type == A::ShiftStart).count(), 1);
            let length = event.common.created_at.since(day[0].common.created_at);
            assert!((3 * HOUR_US + HOUR_US / 2..17 * HOUR_US).contains(&length), "{} h", length / HOUR_US);
            let of_day: BTreeSet<_> = day.iter().filter_map(|e| e.visit_id).collect();
            assert!((1..=8).contains(&of_day.len()), "{} visits", of_day.len());
            for visit in &of_day {
                let types: Vec<A> = day.iter().filter(|e| e.visit_id == Some(*visit)).map(|e| e.activity_type).collect();
                assert_eq!((types.first(), types.last()), (Some(&A::TravelStart), Some(&A::LeftSite)), "{types:?}");
                assert_eq!(types.iter().filter(|t| **t == A::ArrivedOnSite).count(), 1);
            }
            for pair in day.windows(2) {
                let us = pair[1].common.created_at.since(pair[0].common.created_at);
                if pair[0].activity_type == A::WorkStarted {
                    work_us += us;
                }
                let place = |e: &TechnicianActivity<'_>| e.location.as_ref().map(|l| (l.latitude.unwrap(), l.longitude.unwrap())).unwrap();
                let (a, b) = (place(pair[0]), place(pair[1]));
                let meters = ((a.0 - b.0) * 111_200.0).hypot((a.1 - b.1) * 68_500.0);
                let meters_per_second = meters / (us as f64 / 1e6);
                assert!(meters < 60.0 || meters_per_second < 36.0, "{meters} m in {} s", us / SECOND_US);
            }
            shifts += 1;
            visits += of_day.len();
            shift_us += length;
            fuel += day.iter().filter(|e| e.activity_type == A::FuelStop).count();
            breaks += day.iter().filter(|e| e.activity_type == A::BreakStart).count();
            day.clear();
        }
        assert!(day.is_empty(), "a shift without end");
    }
    let per_shift = |n: usize| n as f64 / shifts as f64;
    assert!((1_750..=1_950).contains(&shifts), "{shifts} shifts of 400 technicians in five working days");
    assert!((4.0..6.5).contains(&per_shift(visits)), "{} visits a shift", per_shift(visits));
    assert!((0.08..0.2).contains(&per_shift(fuel)), "{} fuel stops a shift", per_shift(fuel));
    assert!((0.5..1.5).contains(&per_shift(breaks)), "{} breaks a shift", per_shift(breaks));
    let hours = shift_us as f64 / shifts as f64 / HOUR_US as f64;
    assert!((6.0..10.5).contains(&hours), "{hours} h a shift");
    let work_minutes = work_us as f64 / visits as f64 / MINUTE_US as f64;
    assert!((20.0..60.0).contains(&work_minutes), "{work_minutes} min of first work a visit");
}

/// On the days on which the clocks change, local times stay what people do, durations stay what they last.
#[test]
fn daylight_saving_changes_labels_only() {
    for (first, offsets, changes_at) in
        [((2025, 3, 29), [60, 120], "2025-03-30T01:00:00.000000Z"), ((2025, 10, 25), [120, 60], "2025-10-26T01:00:00.000000Z")]
    {
        let config =
            SimulatorConfig { first_day: NaiveDate::from_ymd_opt(first.0, first.1, first.2).unwrap(), ..config(2_000, 3, Faults::none()) };
        let mut seen = BTreeSet::new();
        let mut across = 0;
        for events in activities(Simulator::new(config).unwrap()).values() {
            let mut last_offset = None;
            for event in events {
                let at = event.common.created_at;
                let offset = event.common.utc_offset_minutes.unwrap();
                let expected = if at.to_string().as_str() < changes_at { offsets[0] } else { offsets[1] };
                assert_eq!(offset, expected, "{at}");
                seen.insert(offset);
                across += usize::from(last_offset.is_some_and(|last| last != offset) && event.activity_type != A::ShiftStart);
                last_offset = Some(offset);
                if event.activity_type == A::ShiftStart {
                    let local_minute = (at.0 / MINUTE_US + i64::from(offset)).rem_euclid(1_440);
                    assert!(
                        (375..=560).contains(&local_minute) || (1_270..=1_310).contains(&local_minute),
                        "shift at local minute {local_minute}"
                    );
                }
            }
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), {
            let mut o = offsets.to_vec();
            o.sort_unstable();
            o
        });
        assert!(across > 0, "a night shift lies over the change");
    }
}

/// Every fault occurs, is counted, and is what its name says.
#[test]
fn every_fault_really_occurs() {
    let mut simulator = Simulator::new(config(1_500, 7, Faults::heavy())).unwrap();
    let codec = Codec::new();
    let mut labelled: BTreeMap<FaultKind, u64> = BTreeMap::new();
    let (mut payload, mut hashes) = (Vec::new(), BTreeMap::<_, Vec<u128>>::new());
    let (mut corrupt, mut ahead, mut voided) = (0u64, 0u64, 0u64);
    for emission in simulator.by_ref() {
        if let Some(fault) = emission.fault {
            *labelled.entry(fault).or_default() += 1;
        }
        match &emission.body {
            Body::Corrupt { payload, .. } => {
                assert_eq!(emission.fault, Some(FaultKind::Corrupt));
                assert!(codec.decode(payload).is_err(), "damaged bytes are taken for a record");
                corrupt += 1;
            }
            Body::Record(record) => {
                payload.clear();
                codec.encode(record, &mut payload);
                assert_eq!(&codec.decode(&payload).unwrap(), record);
                match validate(emission.topic, record, emission.at) {
                    Err(rejection) => {
                        assert_eq!((rejection.reason, emission.fault), (DeadLetterReason::CreatedAhead, Some(FaultKind::CreatedAhead)));
                        ahead += 1;
                    }
                    Ok(()) => assert_ne!(emission.fault, Some(FaultKind::CreatedAhead)),
                }
                if let AnyRecord::TechnicianActivity(a) = record {
                    voided += u64::from(a.common.voided);
                    hashes.entry((a.common.id, a.common.revision)).or_default().push(content_hash(record));
                }
            }
        }
    }
    let counts = simulator.fault_counts();
    for (kind, count) in counts.iter() {
        assert!(count > 0, "{} never occurred", kind.symbol());
        let leaves_no_trace = matches!(kind, FaultKind::ForgottenShiftEnd | FaultKind::Missing);
        assert_eq!(labelled.get(&kind).copied().unwrap_or(0) > 0, !leaves_no_trace, "{}", kind.symbol());
    }
    assert_eq!((corrupt, ahead), (counts.of(FaultKind::Corrupt), counts.of(FaultKind::CreatedAhead)));
    assert_eq!(voided, counts.of(FaultKind::Voided) + counts.of(FaultKind::Restored));
    let repeated = hashes.values().filter(|h| h.len() == 2);
    let (same, changed): (Vec<_>, Vec<_>) = repeated.partition(|h| h[0] == h[1]);
    assert_eq!(changed.len() as u64, counts.of(FaultKind::ChangedDuplicate));
    // Calls and operational events are repeated too.
    assert!(same.len() as u64 <= counts.of(FaultKind::Duplicate) && same.len() as u64 > counts.of(FaultKind::Duplicate) / 2);
}

#[test]
fn without_faults_there_are_none() {
    let mut simulator = Simulator::new(config(300, 3, Faults::none())).unwrap();
    assert!(simulator.by_ref().all(|e| e.fault.is_none() && matches!(e.body, Body::Record(_))));
    assert_eq!(simulator.fault_counts().total(), 0);
}

/// Plans are in the technician's log before what they plan, and within the day that releases them.
#[test]
fn plans_come_first_and_within_their_day() {
    let mut planned: BTreeMap<_, Timestamp> = BTreeMap::new();
    let (mut with, mut without) = (0u32, 0u32);
    for emission in Simulator::new(config(100, 3, Faults::none())).unwrap() {
        match &emission.body {
            Body::Record(AnyRecord::VisitPlan(plan)) => {
                assert_eq!(emission.topic, Topic::Activity);
                assert!((0..=24 * HOUR_US).contains(&plan.window_start.since(emission.at)));
                planned.insert(plan.visit_id, emission.at);
            }
            Body::Record(AnyRecord::TechnicianActivity(a)) => {
                if let Some(visit) = a.visit_id {
                    if planned.contains_key(&visit) { with += 1 } else { without += 1 }
                }
            }
            _ => {}
        }
    }
    assert!(with > 1_000 && without == 0, "{with} {without}");
}

#[test]
fn impossible_configurations_are_refused() {
    assert_eq!(
        time_zone("Europe/Nowhere").unwrap_err().to_string(),
        "\"Europe/Nowhere\" is no time zone of the IANA database, such as Europe/Amsterdam"
    );
    for (bad, field) in [
        (SimulatorConfig { technicians: 0, ..SimulatorConfig::default() }, "technicians"),
        (SimulatorConfig { days: 0, ..SimulatorConfig::default() }, "days"),
        (SimulatorConfig { visits_min: 9, ..SimulatorConfig::default() }, "visits_min"),
        (SimulatorConfig { calls_per_technician_day: f64::NAN, ..SimulatorConfig::default() }, "calls_per"),
    ] {
        let error = Simulator::new(bad).err().unwrap();
        assert!(error.to_string().starts_with(field), "{error}");
    }
}

/// Alarms about people: each names a technician, most are resolved, some are an SOS, and none changes anything else of the seed.
#[test]
fn alarms_name_technicians_and_leave_the_rest_of_a_seed_alone() {
    let records = |alarms_per_technician_day: f64| {
        let config = SimulatorConfig { technicians: 500, faults: Faults::none(), alarms_per_technician_day, ..SimulatorConfig::default() };
        let records: Vec<AnyRecord<'static>> = Simulator::new(config)
            .unwrap()
            .filter_map(|emission| match emission.body {
                Body::Record(record) => Some(record),
                Body::Corrupt { .. } => None,
            })
            .collect();
        records
    };
    let (without, with) = (records(0.0), records(0.1));
    let (alarms, others): (Vec<_>, Vec<_>) = with
        .into_iter()
        .partition(|record| matches!(record, AnyRecord::OperationalEvent(e) if e.source_system.as_deref() == Some("lone worker service")));
    assert_eq!(others, without);
    let alarms: Vec<_> = alarms
        .into_iter()
        .map(|record| match record {
            AnyRecord::OperationalEvent(event) => event,
            other => panic!("{other:?}"),
        })
        .collect();
    let of_revision = |revision: u32| alarms.iter().filter(move |event| event.common.revision == revision);
    let first = of_revision(0).count();
    assert!(first > 30 && alarms.iter().all(|event| event.technician_contact_id.is_some()), "{first}");
    assert!(of_revision(0).any(|event| SosTypes::default().has(event)) && of_revision(0).any(|event| !SosTypes::default().has(event)));
    let resolved = of_revision(2).filter(|event| event.resolved_at.is_some() && event.resolved_by_contact_id.is_some()).count();
    assert!(resolved > first * 3 / 4, "{resolved} of {first}");
}

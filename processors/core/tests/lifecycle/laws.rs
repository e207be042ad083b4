//! Laws, on generated records.

use crate::desk::*;
use fieldline_processors_core::lifecycle::{Effects, Lifecycle, Settings, WHOLE_US};
use fieldline_schemas::AnyRecord;
use fieldline_schemas::alerts::{DeliveryOutcome, FlagStanding};
use fieldline_schemas::events::{ActionKind, ResolveReason, Severity};
use proptest::prelude::*;

const NAMES: [&str; 6] = ["S1 a", "S1 b", "S1 x2", "S5 a", "S5 b", "S12 a"];
const RECEIVERS: [&str; 2] = ["desk", "mail"];

fn record() -> impl Strategy<Value = AnyRecord<'static>> {
    let name = prop::sample::select(&NAMES[..]);
    let standing = prop::sample::select(FlagStanding::ALL);
    let kind = prop::sample::select(ActionKind::ALL);
    let reason = prop::option::of(prop::sample::select(ResolveReason::ALL));
    let outcome = prop::sample::select(DeliveryOutcome::ALL);
    let severity = prop::sample::select(Severity::ALL);
    prop_oneof![
        2 => prop::sample::select(&NAMES[..3]).prop_map(lane),
        1 => standing.clone().prop_map(|standing| watch("S12 a", standing)),
        3 => (prop::sample::select(&NAMES[..5]), 1..20_u64, standing).prop_map(|(name, version, standing)| fold(name, version, standing)),
        2 => (prop::sample::select(&NAMES[..5]), 1..20_u64, severity).prop_map(|(name, version, severity)| raised_as(name, version, severity, "words")),
        3 => (name.clone(), 0..30_u64, kind, reason).prop_map(|(name, n, kind, reason)| action(name, n, kind, reason)),
        2 => (name, prop::sample::select(&RECEIVERS[..]), 0..5_u32, outcome)
            .prop_map(|(name, receiver, notification, outcome)| delivery(name, receiver, notification, outcome)),
        2 => Just(tick()),
    ]
}

/// Records with the time that passes before each: nothing, seconds, minutes, or longer than an alert is kept whole.
fn records() -> impl Strategy<Value = Vec<(i64, AnyRecord<'static>)>> {
    let gap = prop_oneof![4 => Just(0), 6 => 1..s(20), 6 => s(20)..s(90), 3 => s(1_700)..s(1_900), 1 => Just(WHOLE_US + 1)];
    prop::collection::vec((gap, record()), 1..60).prop_map(|records| {
        let mut at = 0;
        let place = |(gap, record)| {
            at += gap;
            (at, record)
        };
        records.into_iter().map(place).collect()
    })
}

/// What each record brought.
fn outputs(input: &[(i64, i64, &AnyRecord<'static>)]) -> Vec<Effects> {
    let mut lifecycle = Lifecycle::new(Settings::default());
    let step = |(offset, at, record): &(i64, i64, &AnyRecord<'static>)| {
        let mut effects = Effects::default();
        apply(&mut lifecycle, *offset, *at, record, &mut effects);
        effects
    };
    input.iter().map(step).collect()
}

fn placed<'a>(records: &'a [(i64, AnyRecord<'static>)]) -> Vec<(i64, i64, &'a AnyRecord<'static>)> {
    records.iter().enumerate().map(|(offset, (at, record))| (offset as i64 * 2, *at, record)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Replayed from the beginning with outputs suppressed up to any committed offset, the rest is what never stopping gives.
    #[test]
    fn a_replay_goes_on_as_if_it_never_stopped(records in records(), cut in 0..60_usize) {
        let input = placed(&records);
        let cut = cut.min(input.len());
        let straight = outputs(&input);
        let mut lifecycle = Lifecycle::new(Settings::default());
        let mut effects = Effects::default();
        for (offset, at, record) in &input[..cut] {
            apply(&mut lifecycle, *offset, *at, record, &mut effects);
        }
        effects.clear();
        for ((offset, at, record), expected) in input[cut..].iter().zip(&straight[cut..]) {
            apply(&mut lifecycle, *offset, *at, record, &mut effects);
            prop_assert_eq!(&effects, expected);
            effects.clear();
        }
    }

    /// A copy of any record, at any place after it, brings nothing and changes nothing that comes after it. (What is said of an
    /// alert that nobody has opened yet is not taken, so a copy of it may come in time.)
    #[test]
    fn a_copy_changes_nothing(records in records(), original in 0..60_usize, place in 0..60_usize) {
        let original = original.min(records.len() - 1);
        let place = (original + 1 + place).min(records.len());
        let mut input = placed(&records);
        let unknown = |count: usize| run(Settings::default(), &records[..count]).0.counters().unknown_alerts;
        prop_assume!(unknown(original) == unknown(original + 1));
        let (_, at, record) = input[original];
        // At the time of the record before it, so that the copy moves no clock.
        let at = at.max(input[place - 1].1);
        input.insert(place, (place as i64 * 2 - 1, at, record));
        let mut with_copy = outputs(&input);
        let copy = with_copy.remove(place);
        prop_assert_eq!(copy, Effects::default(), "{:?}", record);
        prop_assert_eq!(with_copy, outputs(&placed(&records)));
    }

    /// Of one alert: versions grow, notifications never fall and grow by one at most, a round stays within its limit, and an
    /// emergency is resolved by a person with a reason alone.
    #[test]
    fn steps_are_in_order(records in records()) {
        let (_, effects) = run(Settings::default(), &records);
        let mut last = std::collections::BTreeMap::new();
        for alert in &effects.alerts {
            let before = last.insert(alert.alert_id.clone(), (alert.stamp.version, alert.notification));
            prop_assert!(before.is_none_or(|(version, _)| alert.stamp.version > version), "{alert:?}");
            let notification = before.map_or(0, |(_, notification)| notification);
            prop_assert!((notification..=notification + 1).contains(&alert.notification), "{alert:?}");
            prop_assert!(alert.round <= 5);
            let is_emergency = alert.alert_id.starts_with("S1:");
            if is_emergency && alert.resolved_at.is_some() {
                prop_assert!(alert.resolve_reason.is_some());
            }
            prop_assert_eq!(alert.resolved_at.is_some(), alert.state.symbol() == "resolved");
        }
    }
}

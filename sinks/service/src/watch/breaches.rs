//! From what is wrong now to S12 alerts: raised once, told directly where the log does not carry them, withdrawn when what they
//! are about is well again. Pure; what time it is comes as an argument.

use fieldline_processors_core::lifecycle::{Effects, Event, Lifecycle, Record, Settings};
use fieldline_schemas::alerts::{Alert, Flag, FlagCode, FlagOrigin, FlagStanding};
use fieldline_schemas::events::Severity;
use fieldline_schemas::{Timestamp, Version};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is about: the subject of the alert. No colon in it.
    pub component: String,
    /// When it began; with the component it makes the alert's id, so that two watches see one alert.
    pub since: Timestamp,
    pub severity: Severity,
    pub reasoning: String,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Goes to `alert_events`.
    Append(Box<Flag<'static>>),
    /// Goes to the receivers at once.
    Tell(Box<Alert<'static>>),
}

#[derive(Clone, Debug)]
struct Standing {
    finding: Finding,
    alert_id: String,
    raised_at: Timestamp,
    /// The lifecycle has made an alert of it, so receivers are told in the ordinary way.
    is_alert: bool,
    is_told: bool,
    /// The alert is resolved, by a person or by a watch that finds the component well. It stands as long as it is found here.
    is_resolved: bool,
}

/// What this watch has raised, and what is open of it and of others.
#[derive(Clone, Debug)]
pub struct Breaches {
    /// An S12 that has not come back as an alert after so long is told past the log, microseconds.
    direct_after_us: i64,
    standing: BTreeMap<String, Standing>,
    /// Open S12 alerts by component, as `alerts` says.
    open: BTreeMap<String, BTreeSet<String>>,
    /// Withdrawn, and not resolved yet as far as `alerts` says.
    withdrawn: BTreeSet<String>,
}

impl Breaches {
    pub fn new(direct_after_us: i64) -> Self {
        Self { direct_after_us, standing: BTreeMap::new(), open: BTreeMap::new(), withdrawn: BTreeSet::new() }
    }

    /// Hears of an S12 on `alerts`.
    pub fn heard(&mut self, alert_id: &str, is_open: bool) {
        let Some(component) = fieldline_schemas::subject_of(alert_id) else { return };
        if let Some(standing) = self.standing.get_mut(component).filter(|standing| standing.alert_id == alert_id) {
            (standing.is_alert, standing.is_resolved) = (true, !is_open);
        }
        if is_open {
            self.open.entry(component.to_owned()).or_default().insert(alert_id.to_owned());
            return;
        }
        self.withdrawn.remove(alert_id);
        if let Some(open) = self.open.get_mut(component) {
            open.remove(alert_id);
            if open.is_empty() {
                self.open.remove(component);
            }
        }
    }

    /// Takes what is wrong now, and which components are known to be well; what is neither stays as it was.
    pub fn judge(&mut self, now: Timestamp, findings: Vec<Finding>, well: &BTreeSet<String>, steps: &mut Vec<Step>) {
        self.standing.retain(|component, standing| !standing.is_resolved || findings.iter().any(|found| found.component == *component));
        for finding in findings {
            if let Some(standing) = self.standing.get_mut(&finding.component) {
                standing.finding = finding;
                continue;
            }
            // Another watch, or this one before it was started anew, may have told of it; what is withdrawn ends, and tells nobody.
            let mut open = self.open.get(&finding.component).into_iter().flatten();
            let known = open.find(|alert_id| !self.withdrawn.contains(*alert_id)).cloned();
            let is_alert = known.is_some();
            let alert_id = known.unwrap_or_else(|| format!("S12:{}:{}", finding.component, finding.since.0));
            let component = finding.component.clone();
            let new = Standing { finding, alert_id, raised_at: now, is_alert, is_told: false, is_resolved: false };
            if !is_alert {
                steps.push(Step::Append(Box::new(new.flag(FlagStanding::Raised, now))));
            }
            self.standing.insert(component, new);
        }
        for standing in self.standing.values_mut() {
            if !standing.is_alert && !standing.is_told && now.since(standing.raised_at) >= self.direct_after_us {
                standing.is_told = true;
                steps.extend(standing.alert(now).map(|alert| Step::Tell(Box::new(alert))));
            }
        }
        for component in well {
            if let Some(over) = self.standing.remove(component) {
                // Whoever was told directly is told of the end in the ordinary way, for which there must be an alert.
                if over.is_told && !over.is_alert {
                    steps.push(Step::Append(Box::new(over.flag(FlagStanding::Raised, now))));
                }
                steps.push(Step::Append(Box::new(over.flag(FlagStanding::Activity, now))));
                self.withdrawn.insert(over.alert_id);
            }
            for alert_id in self.open.get(component).into_iter().flatten() {
                if self.withdrawn.insert(alert_id.clone()) {
                    steps.push(Step::Append(Box::new(over_by(component, alert_id, now))));
                }
            }
        }
    }

    /// What is wrong, for whoever watches.
    pub fn standing(&self) -> impl Iterator<Item = (&str, &str)> {
        self.standing.iter().map(|(component, standing)| (component.as_str(), standing.finding.reasoning.as_str()))
    }
}

impl Standing {
    fn flag(&self, standing: FlagStanding, now: Timestamp) -> Flag<'static> {
        let Finding { severity, since, reasoning, .. } = &self.finding;
        flag(&self.alert_id, standing, *severity, *since, reasoning.clone(), now)
    }

    /// As the lifecycle would tell of its opening: under the same key, so that a receiver knows the two for one.
    fn alert(&self, now: Timestamp) -> Option<Alert<'static>> {
        let mut flag = self.flag(FlagStanding::Raised, now);
        flag.reasoning = Cow::Owned(format!("{}; told directly, as the log does not carry it", self.finding.reasoning));
        let (mut passing, mut effects) = (Lifecycle::new(Settings::default()), Effects::default());
        passing.apply(&Record { offset: 0, append_time: now, event: Event::Flag(&flag) }, &mut effects).ok()?;
        effects.alerts.pop()
    }
}

fn over_by(component: &str, alert_id: &str, now: Timestamp) -> Flag<'static> {
    flag(alert_id, FlagStanding::Activity, Severity::Info, now, format!("{component} is well again"), now)
}

fn flag(
    alert_id: &str,
    standing: FlagStanding,
    severity: Severity,
    about_at: Timestamp,
    reasoning: String,
    now: Timestamp,
) -> Flag<'static> {
    Flag {
        alert_id: Cow::Owned(alert_id.to_owned()),
        flag: FlagCode::S12,
        origin: FlagOrigin::Watch,
        version: Version(0),
        as_of: now,
        standing,
        severity,
        technician_contact_id: None,
        visit_id: None,
        caused_by: None,
        opened_at: now,
        about_at,
        is_late: false,
        location: None,
        reasoning: Cow::Owned(reasoning),
        resolved_at: None,
        resolved_by_contact_id: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "S12:lane:7";
    const DIRECT_AFTER_US: i64 = 10_000;

    fn breaches() -> Breaches {
        Breaches::new(DIRECT_AFTER_US)
    }

    fn finding(component: &str, since: i64) -> Finding {
        Finding { component: component.into(), since: Timestamp(since), severity: Severity::Critical, reasoning: "gone".into() }
    }

    fn well(components: &[&str]) -> BTreeSet<String> {
        components.iter().map(|component| (*component).to_owned()).collect()
    }

    /// `raise ID`, `withdraw ID`, `tell ID`.
    fn judge(breaches: &mut Breaches, now: i64, findings: &[Finding], of_well: &[&str]) -> Vec<String> {
        let mut steps = Vec::new();
        breaches.judge(Timestamp(now), findings.to_vec(), &well(of_well), &mut steps);
        let told = |step: &Step| match step {
            Step::Append(flag) if flag.standing == FlagStanding::Raised => format!("raise {}", flag.alert_id),
            Step::Append(flag) => format!("withdraw {}", flag.alert_id),
            Step::Tell(alert) => format!("tell {}", alert.alert_id),
        };
        steps.iter().map(told).collect()
    }

    #[test]
    fn it_is_raised_once_and_withdrawn_when_the_component_is_well() {
        let mut breaches = breaches();
        assert_eq!(judge(&mut breaches, 100, &[finding("lane", 7)], &[]), [format!("raise {ID}")]);
        breaches.heard(ID, true);
        assert!(judge(&mut breaches, 100 + DIRECT_AFTER_US, &[finding("lane", 7)], &[]).is_empty(), "the log carries it");
        assert!(judge(&mut breaches, 101 + DIRECT_AFTER_US, &[], &[]).is_empty(), "not found and not well: nobody knows");
        assert_eq!(breaches.standing().collect::<Vec<_>>(), [("lane", "gone")]);
        assert_eq!(judge(&mut breaches, 102 + DIRECT_AFTER_US, &[], &["lane", "log"]), [format!("withdraw {ID}")]);
        assert!(judge(&mut breaches, 103 + DIRECT_AFTER_US, &[], &["lane", "log"]).is_empty(), "once");
        let again = judge(&mut breaches, 200 + DIRECT_AFTER_US, &[finding("lane", 99)], &[]);
        assert_eq!(again, ["raise S12:lane:99"], "what is withdrawn and not resolved yet tells of nothing new");
        breaches.heard(ID, false);
        breaches.heard("S12:lane:99", true);
        assert_eq!(judge(&mut breaches, 201 + DIRECT_AFTER_US, &[], &["lane"]), ["withdraw S12:lane:99"]);
    }

    #[test]
    fn what_the_log_does_not_carry_is_told_directly_once_and_not_a_moment_early() {
        let mut breaches = breaches();
        assert_eq!(judge(&mut breaches, 100, &[finding("lane", 7)], &[]), [format!("raise {ID}")]);
        assert!(judge(&mut breaches, 99 + DIRECT_AFTER_US, &[finding("lane", 7)], &[]).is_empty());
        assert_eq!(judge(&mut breaches, 100 + DIRECT_AFTER_US, &[finding("lane", 7)], &[]), [format!("tell {ID}")]);
        assert!(judge(&mut breaches, 900 + DIRECT_AFTER_US, &[finding("lane", 7)], &[]).is_empty());
        assert_eq!(judge(&mut breaches, 901 + DIRECT_AFTER_US, &[], &["lane"]), [format!("raise {ID}"), format!("withdraw {ID}")]);
    }

    /// A person has resolved it, or its partition has moved to another process, whose watch finds it well.
    #[test]
    fn what_is_resolved_stands_only_as_long_as_it_is_found_here() {
        let mut breaches = breaches();
        assert_eq!(judge(&mut breaches, 100, &[finding("lane", 7)], &[]), [format!("raise {ID}")]);
        breaches.heard(ID, true);
        breaches.heard(ID, false);
        assert!(judge(&mut breaches, 200 + DIRECT_AFTER_US, &[finding("lane", 7)], &[]).is_empty(), "nobody is told again");
        assert_eq!(breaches.standing().count(), 1);
        assert!(judge(&mut breaches, 300 + DIRECT_AFTER_US, &[], &[]).is_empty());
        assert_eq!(breaches.standing().count(), 0);
    }

    #[test]
    fn what_another_watch_has_told_of_is_not_told_again_and_ends_with_this_ones_health() {
        let mut breaches = breaches();
        breaches.heard("S12:lane:3", true);
        assert!(judge(&mut breaches, 100, &[finding("lane", 7)], &[]).is_empty());
        assert!(judge(&mut breaches, 100 + DIRECT_AFTER_US, &[finding("lane", 7)], &[]).is_empty());
        assert_eq!(judge(&mut breaches, 101 + DIRECT_AFTER_US, &[], &["lane"]), ["withdraw S12:lane:3"]);
        // One of a process that is gone, of a component that nobody found wrong here; another component's and a test's stay.
        breaches.heard("S12:log:1", true);
        breaches.heard("S12:test:1", true);
        breaches.heard("S12:elsewhere:1", true);
        assert_eq!(judge(&mut breaches, 102 + DIRECT_AFTER_US, &[], &["lane", "log"]), ["withdraw S12:log:1"]);
        assert!(judge(&mut breaches, 103 + DIRECT_AFTER_US, &[], &["lane", "log"]).is_empty());
    }

    #[test]
    fn two_watches_name_one_alert() {
        let (mut one, mut other) = (breaches(), breaches());
        assert_eq!(judge(&mut one, 100, &[finding("lane", 7)], &[]), judge(&mut other, 137, &[finding("lane", 7)], &[]));
    }
}

//! Which alerts a receiver is told of. Pure.

use super::book::is_emergency;
use super::group::GroupBy;
use fieldline_schemas::alerts::{Alert, FlagCode};
use fieldline_schemas::events::Severity;
use std::time::Duration;

/// Leads the alerts that fit to a receiver. Every field that is set must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    pub receiver: String,
    /// Empty: any.
    pub flags: Vec<FlagCode>,
    pub severity_min: Option<Severity>,
    /// Teams of the technician; empty: any, also none.
    pub teams: Vec<String>,
    /// What fits here is not led further by the routes after it.
    pub stop: bool,
    /// How long an alert waits for others to go with it; emergencies never do.
    pub group_wait: Duration,
    /// What those of one message have in common.
    pub group_by: Vec<GroupBy>,
}

impl Route {
    fn fits(&self, alert: &Alert<'_>, team: Option<&str>) -> bool {
        (self.flags.is_empty() || self.flags.contains(&alert.flag))
            && self.severity_min.is_none_or(|min| alert.severity >= min)
            && (self.teams.is_empty() || team.is_some_and(|team| self.teams.iter().any(|wanted| wanted == team)))
    }
}

/// The route by which the alert is grouped on its way to the receiver: the first that fits, if it groups.
pub fn grouping<'a>(routes: &'a [Route], receiver: &str, alert: &Alert<'_>, team: Option<&str>) -> Option<&'a Route> {
    let mut leading = routes.iter().filter(|route| route.receiver == receiver && route.fits(alert, team));
    leading.next().filter(|route| !route.group_wait.is_zero() && !is_emergency(alert.flag))
}

/// Whether the alert goes to the receiver. Without any route everything goes to everyone; an emergency that no route fits goes
/// to everyone too: an unknown team must not hide it.
pub fn leads_to(routes: &[Route], receiver: &str, alert: &Alert<'_>, team: Option<&str>) -> bool {
    let mut fits_any = false;
    for route in routes.iter().filter(|route| route.fits(alert, team)) {
        if route.receiver == receiver {
            return true;
        }
        fits_any = true;
        if route.stop {
            break;
        }
    }
    routes.is_empty() || (!fits_any && is_emergency(alert.flag))
}

#[cfg(test)]
mod tests {
    use super::super::samples::alert;
    use super::*;

    /// Routes, flag, team, receiver, and whether it leads there.
    type Case<'a> = (&'a [Route], FlagCode, Option<&'a str>, &'a str, bool);

    #[test]
    fn routes_and_where_they_lead() {
        let route = |receiver: &str| Route { receiver: receiver.to_owned(), ..Route::default() };
        let emergencies = || Route { flags: vec![FlagCode::S1, FlagCode::S6], ..route("desk") };
        let north = || Route { teams: vec!["north".to_owned()], ..route("north") };
        let severe = || Route { severity_min: Some(Severity::Error), ..route("severe") };
        let stops = || Route { stop: true, ..emergencies() };
        let cases: [Case<'_>; 14] = [
            (&[], FlagCode::S5, None, "anyone", true),
            (&[emergencies()], FlagCode::S1, None, "desk", true),
            (&[emergencies()], FlagCode::S5, None, "desk", false),
            (&[emergencies(), north()], FlagCode::S1, Some("north"), "north", true),
            (&[stops(), north()], FlagCode::S1, Some("north"), "north", false),
            (&[stops(), north()], FlagCode::S5, Some("north"), "north", true),
            (&[north()], FlagCode::S5, Some("south"), "north", false),
            (&[north()], FlagCode::S5, None, "north", false),
            // An emergency that fits nowhere goes everywhere.
            (&[north()], FlagCode::S1, Some("south"), "north", true),
            (&[north()], FlagCode::S6, None, "severe", true),
            (&[north(), severe()], FlagCode::S1, Some("south"), "north", false),
            (&[severe()], FlagCode::S5, None, "severe", false),
            (&[severe()], FlagCode::S6, None, "severe", true),
            (&[north(), route("all")], FlagCode::S5, None, "all", true),
        ];
        for (routes, flag, team, receiver, expect) in cases {
            assert_eq!(leads_to(routes, receiver, &alert("F:x:1", flag, 1), team), expect, "{routes:?} {flag:?} {team:?} {receiver}");
        }
    }
}

//! What a reader of `kpis` ends up with: the highest version of each identity, history's answers included.

use fieldline_processors_core::definition::Definition;
use fieldline_processors_core::fold::{self, Units};
use fieldline_processors_core::partition::{Effects, Partition, Position, Record, Settings, WholeLog};
use fieldline_schemas::events::RecomputeRequest;
use fieldline_schemas::ids::TechnicianId;
use fieldline_schemas::results::{Identity, Kpi, KpiRecord, Stamp};
use fieldline_schemas::time::HOUR_US;
use fieldline_schemas::{Anomalies, Anomaly, Timestamp, Version};
use std::collections::BTreeMap;

/// What a record caused.
#[derive(Debug, Default, PartialEq)]
pub struct Output {
    pub offset: i64,
    pub effects: Effects,
}

pub fn settings() -> Settings {
    Settings::single(Definition::default())
}

/// Feeds records to a partition; what each one caused, and every position that could be committed.
pub fn run(partition: &mut Partition, records: &[Record]) -> (Vec<Output>, Vec<Position>) {
    let (mut outputs, mut positions) = (Vec::new(), Vec::new());
    for record in records {
        let mut effects = Effects::default();
        partition.apply(record, &mut effects).unwrap();
        if !effects.is_empty() {
            outputs.push(Output { offset: record.offset, effects });
        }
        if let Some(position) = partition.finished().filter(|p| positions.last() != Some(p)) {
            positions.push(position);
        }
    }
    (outputs, positions)
}

pub fn identity(kpi: &Kpi) -> Identity {
    match kpi {
        Kpi::Shift(shift) => Identity::Shift { technician_contact_id: shift.technician_contact_id, shift_id: shift.shift_id },
        Kpi::Episode(episode) => Identity::Episode {
            technician_contact_id: episode.technician_contact_id,
            visit_id: episode.visit_id,
            first_event_id: episode.first_event_id,
        },
        Kpi::Tombstone(identity) => *identity,
    }
}

pub fn anomalies(kpi: &Kpi) -> Anomalies {
    match kpi {
        Kpi::Shift(shift) => shift.anomalies,
        Kpi::Episode(episode) => episode.anomalies,
        Kpi::Tombstone(_) => Anomalies::NONE,
    }
}

/// Begin and latest possible end of a unit: what an episode leaves open may reach 24 h beyond its last event, so that a
/// voided event that once ended it lies in it.
fn extent(kpi: &Kpi) -> (Timestamp, Timestamp) {
    match kpi {
        Kpi::Shift(shift) => (shift.started_at, shift.closed_at),
        Kpi::Episode(episode) => (episode.first_event_at, episode.last_event_at + 24 * HOUR_US),
        Kpi::Tombstone(_) => (Timestamp::MAX, Timestamp::MIN),
    }
}

#[derive(Default)]
pub struct Table(pub BTreeMap<Identity, KpiRecord>);

impl Table {
    pub fn insert(&mut self, record: KpiRecord) {
        let identity = identity(&record.kpi);
        let known = self.0.get(&identity);
        if let Some(known) = known {
            assert_ne!(known.stamp.version, record.stamp.version, "two rows of {identity:?} with one version");
        }
        if known.is_none_or(|known| known.stamp.version < record.stamp.version) {
            self.0.insert(identity, record);
        }
    }

    /// The rows that stand, without what concerns arrival.
    pub fn rows(&self) -> BTreeMap<Identity, Kpi> {
        let standing = self.0.iter().filter(|(_, record)| !matches!(record.kpi, Kpi::Tombstone(_)));
        standing.map(|(identity, record)| (*identity, without_positions(record.kpi.clone()))).collect()
    }
}

/// A19 and distance look back however far; they are reported apart.
fn without_positions(kpi: Kpi) -> Kpi {
    let drop_a19 = |codes: Anomalies| codes.iter().filter(|code| *code != Anomaly::A19).collect::<Anomalies>();
    match kpi {
        Kpi::Shift(mut shift) => {
            shift.distance_meters_lower_bound = 0.0;
            shift.anomalies = drop_a19(shift.anomalies);
            shift.days.iter_mut().for_each(|day| day.anomalies = drop_a19(day.anomalies));
            Kpi::Shift(shift)
        }
        Kpi::Episode(mut episode) => {
            episode.anomalies = drop_a19(episode.anomalies);
            Kpi::Episode(episode)
        }
        tombstone => tombstone,
    }
}

fn kpis(units: Units) -> impl Iterator<Item = Kpi> {
    let shifts = units.shifts.into_iter().map(|shift| Kpi::Shift(Box::new(shift)));
    shifts.chain(units.episodes.into_iter().map(|episode| Kpi::Episode(Box::new(episode))))
}

/// Everything about a technician from the whole log up to an offset.
pub fn whole(records: &[Record], technician: TechnicianId, offset: i64, clock: Timestamp) -> BTreeMap<Identity, Kpi> {
    let mut log = WholeLog::default();
    for record in records.iter().filter(|r| r.offset <= offset && r.input.technician() == Some(technician)) {
        log.insert(&record.input);
    }
    let units = fold::fold(log.facts(technician), clock, &Definition::default());
    kpis(units).map(|kpi| (identity(&kpi), without_positions(kpi))).collect()
}

/// Answers a request as the history worker would.
pub fn answer(table: &mut Table, records: &[Record], request: &RecomputeRequest) {
    let derived = whole(records, request.technician_contact_id, request.offset, request.clock);
    let version = Version::pack(0, Definition::default().number, request.offset as u64, Version::STEP_RECOMPUTE).unwrap();
    let stamp = Stamp { version, as_of: request.clock, caused_by: request.caused_by };
    // The span, widened by the times of all revisions of the named ids.
    let (mut from, mut to) = (request.from, request.to);
    for record in records.iter().filter(|r| r.offset <= request.offset) {
        if let fieldline_processors_core::partition::Input::Activity(_, claim) = &record.input
            && request.event_ids.contains(&claim.id)
        {
            (from, to) = (from.min(claim.own), to.max(claim.own));
        }
    }
    let touches = |kpi: &Kpi| {
        let (begin, end) = extent(kpi);
        begin <= to + 72 * HOUR_US && end >= from
    };
    let same_version = |table: &Table, identity: &Identity| table.0.get(identity).is_some_and(|known| known.stamp.version == version);
    let gone: Vec<Identity> = table
        .0
        .iter()
        .filter(|(identity, record)| touches(&record.kpi) && !derived.contains_key(identity) && !same_version(table, identity))
        .map(|(identity, _)| *identity)
        .filter(|identity| owner(identity) == request.technician_contact_id)
        .collect();
    for identity in gone {
        table.insert(KpiRecord { stamp, kpi: Kpi::Tombstone(identity) });
    }
    for (identity, kpi) in derived {
        if touches(&kpi) && !same_version(table, &identity) {
            table.insert(KpiRecord { stamp, kpi });
        }
    }
}

fn owner(identity: &Identity) -> TechnicianId {
    match identity {
        Identity::Shift { technician_contact_id, .. } | Identity::Episode { technician_contact_id, .. } => *technician_contact_id,
    }
}

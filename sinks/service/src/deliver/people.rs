//! Teams, names and silences, from the topic `contacts`: read whole, then followed, once for all receivers of a process.

use super::book::is_emergency;
use fieldline_log::{Batch, Log, Polled, TopicPartition};
use fieldline_registry::Registry;
use fieldline_schemas::alerts::{Alert, Silence};
use fieldline_schemas::topics::Topic;
use fieldline_schemas::wire::AnyRecord;
use fieldline_schemas::{Codec, Timestamp};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const POLL_WAIT_MAX: Duration = Duration::from_millis(50);
const POLL_RECORDS_MAX: usize = 10_000;
/// Where a partition's last records were compacted away, its end is never reached: so long without a record is the end.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// A person, as far as a page tells of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    pub display_name: Option<String>,
    pub team: Option<String>,
}

#[derive(Debug, Default)]
struct Known {
    /// With the revision that stands.
    persons: BTreeMap<[u8; 16], (u32, Person)>,
    silences: BTreeMap<[u8; 16], Silence<'static>>,
}

/// What is known at present; shared by the receivers.
#[derive(Debug, Default)]
pub struct People {
    known: Mutex<Known>,
    is_whole: AtomicBool,
    changes: AtomicU64,
}

impl People {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether everything that the topic held at the start has been read.
    pub fn is_whole(&self) -> bool {
        self.is_whole.load(Ordering::Acquire)
    }

    /// Rises with every change.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Takes a record of `contacts`; of one id the highest revision stands, of equal ones the first.
    pub fn take(&self, record: AnyRecord<'_>) {
        let mut known = self.lock();
        match record {
            AnyRecord::Contact(contact) => {
                let id = *contact.id.as_bytes();
                if known.persons.get(&id).is_some_and(|(revision, _)| *revision >= contact.revision) {
                    return;
                }
                let text = |text: Option<std::borrow::Cow<'_, str>>| text.map(|t| t.into_owned()).filter(|t| !t.is_empty());
                let person = Person { display_name: text(contact.display_name), team: text(contact.team) };
                known.persons.insert(id, (contact.revision, person));
            }
            AnyRecord::Silence(silence) => {
                let id = *silence.id.as_bytes();
                if known.silences.get(&id).is_some_and(|standing| standing.revision >= silence.revision) {
                    return;
                }
                known.silences.insert(id, silence.into_owned());
            }
            _ => return,
        }
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    pub fn person(&self, alert: &Alert<'_>) -> Person {
        let Some(technician) = alert.technician_contact_id else { return Person::default() };
        self.lock().persons.get(technician.as_bytes()).map(|(_, person)| person.clone()).unwrap_or_default()
    }

    /// Until when silences hold the alert back; never an emergency.
    pub fn silenced_until(&self, alert: &Alert<'_>, team: Option<&str>, now: Timestamp) -> Option<Timestamp> {
        if is_emergency(alert.flag) {
            return None;
        }
        let known = self.lock();
        known.silences.values().filter(|silence| fits(silence, alert, team, now)).map(|silence| silence.until).max()
    }
}

/// Every field that is there must fit.
fn fits(silence: &Silence<'_>, alert: &Alert<'_>, team: Option<&str>, now: Timestamp) -> bool {
    !silence.voided
        && (silence.created_at..silence.until).contains(&now)
        && silence.flag.is_none_or(|flag| flag == alert.flag)
        && silence.technician_contact_id.is_none_or(|technician| alert.technician_contact_id == Some(technician))
        && silence.team.as_deref().is_none_or(|wanted| team == Some(wanted))
}

/// Reads `contacts` whole, then follows it until `stop` says so.
pub fn follow(people: &People, log: &dyn Log, prefix: &str, schemas: &Registry, stop: &dyn Fn() -> bool) -> fieldline_log::Result<()> {
    let topic = Topic::Contacts.full_name(prefix);
    // A group of its own each time: it must own every partition, and begins at the beginning.
    let mut consumer = log.consumer(&format!("{prefix}receivers-contacts-{}", uuid::Uuid::new_v4()), &[&topic])?;
    let codec = schemas.codec();
    let mut unread: Option<BTreeMap<TopicPartition, i64>> = None;
    let mut moved_at = Instant::now();
    while !stop() {
        match consumer.poll(POLL_WAIT_MAX, POLL_RECORDS_MAX)? {
            Polled::Assigned(partitions) => {
                let unread = unread.get_or_insert_default();
                for at in partitions {
                    let watermarks = consumer.watermarks(&at)?;
                    consumer.seek(&at, watermarks.begin)?;
                    if watermarks.end > watermarks.begin {
                        unread.insert(at, watermarks.end);
                    }
                }
                moved_at = Instant::now();
            }
            Polled::Records(batch) => {
                moved_at = Instant::now();
                if schemas.admits(&batch, consumer.as_mut())? {
                    take_batch(people, &codec, &batch);
                    if let Some(unread) = &mut unread {
                        unread.retain(|at, end| *at != batch.partition || batch.next_offset().is_none_or(|next| next < *end));
                    }
                }
            }
            Polled::Revoked(_) | Polled::Lost(_) | Polled::Idle => {}
        }
        let is_read = unread.as_ref().is_some_and(|unread| unread.is_empty() || moved_at.elapsed() >= SILENCE_MAX);
        if is_read && !people.is_whole.swap(true, Ordering::AcqRel) {
            people.changes.fetch_add(1, Ordering::AcqRel);
        }
    }
    Ok(())
}

fn take_batch(people: &People, codec: &Codec, batch: &Batch) {
    for record in batch.iter() {
        match codec.decode(record.value) {
            Ok(record) => people.take(record),
            Err(rejection) => {
                let (topic, partition) = (&batch.partition.topic, batch.partition.partition);
                tracing::warn!(topic, partition, offset = record.offset, %rejection, "a record is not understood and left out");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::alert;
    use super::*;
    use fieldline_schemas::alerts::FlagCode;
    use fieldline_schemas::events::{Contact, ContactKind};
    use fieldline_schemas::ids::{ContactId, EventId, TechnicianId};

    fn silence(number: u8) -> Silence<'static> {
        Silence {
            id: EventId::from_bytes([number; 16]),
            revision: 0,
            voided: false,
            created_at: Timestamp(100),
            until: Timestamp(200),
            flag: None,
            technician_contact_id: None,
            team: None,
            actor_contact_id: None,
            note: None,
        }
    }

    #[test]
    fn a_silence_holds_back_what_fits_in_its_time() {
        let other = TechnicianId::from_bytes([9; 16]);
        let own = alert("S5:x:1", FlagCode::S5, 1).technician_contact_id;
        let cases = [
            (silence(1), FlagCode::S5, 100, Some(200)),
            (silence(1), FlagCode::S5, 199, Some(200)),
            (silence(1), FlagCode::S5, 99, None),
            (silence(1), FlagCode::S5, 200, None),
            // Emergencies pass through.
            (silence(1), FlagCode::S1, 150, None),
            (silence(1), FlagCode::S6, 150, None),
            (Silence { flag: Some(FlagCode::S5), ..silence(1) }, FlagCode::S5, 150, Some(200)),
            (Silence { flag: Some(FlagCode::S7), ..silence(1) }, FlagCode::S5, 150, None),
            (Silence { technician_contact_id: own, ..silence(1) }, FlagCode::S5, 150, Some(200)),
            (Silence { technician_contact_id: Some(other), ..silence(1) }, FlagCode::S5, 150, None),
            (Silence { team: Some("north".into()), ..silence(1) }, FlagCode::S5, 150, Some(200)),
            (Silence { team: Some("south".into()), ..silence(1) }, FlagCode::S5, 150, None),
            // All of its fields must fit.
            (Silence { team: Some("north".into()), flag: Some(FlagCode::S7), ..silence(1) }, FlagCode::S5, 150, None),
            (Silence { voided: true, ..silence(1) }, FlagCode::S5, 150, None),
        ];
        for (silence, flag, now, expect) in cases {
            let people = People::default();
            people.take(AnyRecord::Silence(silence.clone()));
            let until = people.silenced_until(&alert("F:x:1", flag, 1), Some("north"), Timestamp(now));
            assert_eq!(until, expect.map(Timestamp), "{silence:?} {flag:?} at {now}");
        }
    }

    #[test]
    fn the_highest_revision_stands_whatever_came_first() {
        let people = People::default();
        let ended = Silence { revision: 1, voided: true, ..silence(1) };
        people.take(AnyRecord::Silence(ended));
        people.take(AnyRecord::Silence(silence(1)));
        let subject = alert("S5:x:1", FlagCode::S5, 1);
        assert_eq!(people.silenced_until(&subject, None, Timestamp(150)), None);
        // Of two that fit the longer one counts.
        people.take(AnyRecord::Silence(silence(2)));
        people.take(AnyRecord::Silence(Silence { until: Timestamp(300), ..silence(3) }));
        assert_eq!(people.silenced_until(&subject, None, Timestamp(150)), Some(Timestamp(300)));

        let contact = |revision, team: &'static str| {
            let id = ContactId(subject.technician_contact_id.unwrap().0);
            AnyRecord::Contact(Contact { id, revision, display_name: None, team: Some(team.into()), kind: ContactKind::Technician })
        };
        people.take(contact(2, "north"));
        people.take(contact(1, "south"));
        assert_eq!(people.person(&subject).team.as_deref(), Some("north"));
    }
}

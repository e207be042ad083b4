//! The results sink: `kpis` and `alerts` into the result tables and their histories, `deliveries` and `dead_letters` into theirs.

use crate::clickhouse::ClickHouseTarget;
use crate::sink::{Buffer, Encoder, Sink, SinkConfig, SinkControl, SinkError, Taken};
use fieldline_log::Log;
use fieldline_schemas::Rejection;
use fieldline_schemas::events::DeadLetterReason;
use fieldline_schemas::results::{Identity, Kpi};
use fieldline_schemas::topics::Topic;
use fieldline_schemas::wire::{AnyRecord, Codec};
use fieldline_sinks_rows::{AlertRows, DeadLetterRows, DeliveryRows, EpisodeRows, Position, ShiftRows};
use std::sync::Arc;

/// Group name without prefix.
pub const GROUP: &str = "results-sink";

/// Runs the sink on the calling thread until `control` asks it to stop.
pub fn run(config: &SinkConfig, log: Arc<dyn Log>, clickhouse: &ClickHouseTarget, control: Arc<SinkControl>) -> Result<(), SinkError> {
    let topics = [Topic::Kpis, Topic::Alerts, Topic::Deliveries, Topic::DeadLetters];
    Sink::start(GROUP, &topics, config, log, clickhouse, control, ResultsEncoder { codec: config.schemas.codec(), ..Default::default() })?
        .run()
}

#[derive(Default)]
struct ResultsEncoder {
    codec: Codec,
    shifts: ShiftRows,
    episodes: EpisodeRows,
    alerts: AlertRows,
    deliveries: DeliveryRows,
    dead_letters: DeadLetterRows,
}

impl Encoder for ResultsEncoder {
    fn take(&mut self, topic: Topic, position: Position, value: &[u8]) -> Taken {
        let published_at = position.received_at;
        match self.codec.decode(value) {
            Ok(AnyRecord::Kpi(record)) => match &record.kpi {
                Kpi::Shift(shift) => self.shifts.push(&record.stamp, published_at, shift),
                Kpi::Episode(episode) => self.episodes.push(&record.stamp, published_at, episode),
                Kpi::Tombstone(Identity::Shift { technician_contact_id, shift_id }) => {
                    self.shifts.push_tombstone(&record.stamp, published_at, *technician_contact_id, *shift_id);
                }
                Kpi::Tombstone(Identity::Episode { technician_contact_id, visit_id, first_event_id }) => {
                    self.episodes.push_tombstone(&record.stamp, published_at, *technician_contact_id, *visit_id, *first_event_id);
                }
            },
            Ok(AnyRecord::Alert(alert)) if topic == Topic::Alerts => self.alerts.push(position, &alert),
            Ok(AnyRecord::Delivery(delivery)) if topic == Topic::Deliveries => self.deliveries.push(position, &delivery),
            Ok(AnyRecord::DeadLetter(letter)) => self.dead_letters.push(position, &letter),
            Ok(AnyRecord::Tick(_)) => {}
            Ok(other) => {
                let detail = format!("{} has no business in {}", other.kind().name(), topic.name());
                return Taken::Poison { rejection: Rejection::new(DeadLetterReason::WrongKind, detail), stage: "validate" };
            }
            Err(rejection) => return Taken::Poison { rejection, stage: "decode" },
        }
        Taken::Stored
    }

    fn buffers(&mut self) -> Vec<Buffer<'_>> {
        vec![
            Buffer::with_history("shift_results", "shift_results_history", &mut self.shifts),
            Buffer::with_history("episode_results", "episode_results_history", &mut self.episodes),
            Buffer::with_history("alert_results", "alert_history", &mut self.alerts),
            Buffer::of("alert_deliveries_log", &mut self.deliveries),
            Buffer::of("dead_letters_log", &mut self.dead_letters),
        ]
    }
}

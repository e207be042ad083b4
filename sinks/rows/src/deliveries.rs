//! `alert_deliveries_log`: one row per attempt to tell a receiver of an alert.

use crate::common::{Position, PositionColumns};
use crate::dictionary::{Names, Symbols};
use crate::native::{Instant, Int32, Int64, Nullable, Plain, Rows, Text, UInt32, columns};
use fieldline_schemas::alerts::{Delivery, DeliveryOutcome};

columns! {
    pub struct DeliveryColumns {
        position: PositionColumns,
        alert_id: Text,
        notification: Plain<UInt32>,
        receiver: Names,
        channel: Names,
        attempt: Plain<UInt32>,
        outcome: Symbols<DeliveryOutcome>,
        attempted_at: Plain<Instant>,
        waited_us: Plain<Int64>,
        took_us: Plain<Int64>,
        status: Nullable<Int32>,
        detail: Text,
    }
}

pub type DeliveryRows = Rows<DeliveryColumns>;

impl DeliveryRows {
    pub fn push(&mut self, position: Position, delivery: &Delivery<'_>) {
        let columns = &mut self.columns;
        columns.position.push(position);
        columns.alert_id.push(delivery.alert_id.as_bytes());
        columns.notification.push(delivery.notification);
        columns.receiver.push(Some(&delivery.receiver));
        columns.channel.push(Some(&delivery.channel));
        columns.attempt.push(delivery.attempt);
        columns.outcome.push(delivery.outcome);
        columns.attempted_at.push(delivery.attempted_at.0);
        columns.waited_us.push(delivery.waited_us);
        columns.took_us.push(delivery.took_us);
        columns.status.push(delivery.status);
        columns.detail.push(delivery.detail.as_bytes());
        self.rows += 1;
    }
}

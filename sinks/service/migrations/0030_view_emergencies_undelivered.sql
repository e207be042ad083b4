CREATE OR REPLACE VIEW emergencies_undelivered
(
    event_id UUID COMMENT 'The emergency_stop',
    technician_contact_id UUID COMMENT 'The technician',
    created_at DateTime64(6, 'UTC') COMMENT 'When it was pressed',
    received_at DateTime64(6, 'UTC') COMMENT 'When the log took it',
    age_seconds Decimal(18, 6) COMMENT 'How long ago the log took it',
    alert_id String COMMENT 'The alert that it must have',
    counted_on String COMMENT 'The alert that it is counted on, whose delivery counts for it; empty where it pages by itself',
    state String COMMENT 'State of its alert; empty where there is no alert',
    attempts UInt64 COMMENT 'Attempts to tell a receiver of its alert',
    last_detail String COMMENT 'What came of the last attempt'
)
AS
WITH delivered AS
(
    SELECT alert_id
    FROM alert_deliveries_log
    WHERE outcome = 'acknowledged'
)
SELECT
    e.id AS event_id,
    e.technician_contact_id AS technician_contact_id,
    e.created_at AS created_at,
    e.received_at AS received_at,
    CAST(toDecimal128(dateDiff('microsecond', e.received_at, now64(6, 'UTC')), 6) / 1000000, 'Decimal(18, 6)') AS age_seconds,
    e.alert AS alert_id,
    ifNull(r.other, '') AS counted_on,
    ifNull(s.alert_state, '') AS state,
    toUInt64(ifNull(d.tries, 0)) AS attempts,
    ifNull(d.detail, '') AS last_detail
FROM
(
    SELECT id, technician_contact_id, created_at, received_at, concat('S1:', toString(technician_contact_id), ':', toString(id)) AS alert
    FROM technician_activity
    WHERE activity_type = 'emergency_stop' AND NOT imported AND received_at < now64(6, 'UTC') - INTERVAL 60 SECOND
) AS e
LEFT JOIN
(
    SELECT alert_id, argMin(cause, version) AS other
    FROM alert_history
    WHERE step = 'repeated' AND notification = 0
    GROUP BY alert_id
) AS r ON r.alert_id = e.alert
LEFT JOIN (SELECT alert_id, toString(state) AS alert_state FROM alert_results FINAL) AS s ON s.alert_id = e.alert
LEFT JOIN
(
    SELECT alert_id, uniqExact(partition, offset) AS tries, argMax(detail, (attempted_at, partition, offset)) AS detail
    FROM alert_deliveries_log
    WHERE outcome != 'suppressed'
    GROUP BY alert_id
) AS d ON d.alert_id = e.alert
WHERE e.alert NOT IN (delivered) AND ifNull(r.other, '') NOT IN (delivered)
ORDER BY received_at, event_id
COMMENT 'Audit: emergency_stops that stand, are no import, are older than 60 s and of which no receiver has acknowledged a delivery; expected empty'

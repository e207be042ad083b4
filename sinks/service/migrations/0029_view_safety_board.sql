CREATE OR REPLACE VIEW safety_board
(
    urgency UInt8 COMMENT 'Order of the board: 0 emergencies nobody acknowledged, 1 other critical ones, 2 errors, 3 warnings, 4 information',
    alert_id String COMMENT 'flag:subject:cause',
    flag LowCardinality(String) COMMENT 'S1 to S14, what it is about',
    severity LowCardinality(String) COMMENT 'info, warning, error, critical',
    state LowCardinality(String) COMMENT 'opened, notified, acknowledged, resolved',
    technician_contact_id Nullable(UUID) COMMENT 'The technician, where it is about one',
    subject String COMMENT 'Whom or what it is about: the technician, else queue, incident or component',
    opened_at DateTime64(6, 'UTC') COMMENT 'When it opened, in log time',
    age_seconds Decimal(18, 6) COMMENT 'How long it has been open',
    notified_at Nullable(DateTime64(6, 'UTC')) COMMENT 'First acknowledged delivery',
    acknowledged_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When a person acknowledged it',
    acknowledged_by_contact_id Nullable(UUID) COMMENT 'Who acknowledged it',
    round UInt32 COMMENT 'Rounds of escalation so far (S2)',
    reopened UInt32 COMMENT 'How often it was opened again',
    repeats UInt32 COMMENT 'Further emergency_stops that are counted on it',
    is_late Bool COMMENT 'The emergency lay more than 72 h back when it arrived',
    is_voided Bool COMMENT 'The sender withdrew the event',
    reasoning String COMMENT 'Why, for the person who is paged',
    latitude Nullable(Float64) COMMENT 'Last known position of the technician, degrees north',
    longitude Nullable(Float64) COMMENT 'Degrees east',
    accuracy_meters Nullable(Int32) COMMENT 'Radius of that position, as sent',
    located_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When the technician was there',
    position_age_seconds Nullable(Decimal(18, 6)) COMMENT 'How long ago that is now'
)
AS
SELECT
    toUInt8(multiIf(flag IN ('S1', 'S6') AND acknowledged_at IS NULL, 0, severity = 'critical', 1, severity = 'error', 2, severity = 'warning', 3, 4)) AS urgency,
    alert_id,
    flag,
    severity,
    state,
    a.technician_contact_id AS technician_contact_id,
    subject,
    opened_at,
    CAST(toDecimal128(dateDiff('microsecond', opened_at, now64(6, 'UTC')), 6) / 1000000, 'Decimal(18, 6)') AS age_seconds,
    notified_at,
    acknowledged_at,
    acknowledged_by_contact_id,
    round,
    reopened,
    repeats,
    is_late,
    is_voided,
    reasoning,
    p.place.1 AS latitude,
    p.place.2 AS longitude,
    p.place.3 AS accuracy_meters,
    p.place.4 AS located_at,
    p.place.5 AS position_age_seconds
FROM (SELECT * FROM alerts WHERE state != 'resolved') AS a
LEFT JOIN
(
    SELECT
        toNullable(technician_contact_id) AS technician,
        CAST(
            tuple(latitude, longitude, accuracy_meters, located_at, age_seconds),
            'Tuple(Nullable(Float64), Nullable(Float64), Nullable(Int32), Nullable(DateTime64(6, \'UTC\')), Nullable(Decimal(18, 6)))'
        ) AS place
    FROM technician_positions
) AS p ON p.technician = a.technician_contact_id
ORDER BY urgency, opened_at, alert_id
COMMENT 'Open alerts, the most urgent first, with their age and the technician''s last known position'

CREATE OR REPLACE VIEW alarms_without_emergency
(
    id UUID COMMENT 'The operational event: security or critical, naming a technician on shift',
    technician_contact_id UUID COMMENT 'The technician',
    created_at DateTime64(6, 'UTC') COMMENT 'When it happened',
    severity LowCardinality(String) COMMENT 'info, warning, error, critical',
    event_category LowCardinality(String) COMMENT 'communication, security, operational, system',
    source_system LowCardinality(Nullable(String)) COMMENT 'The system that reported it',
    event_type LowCardinality(Nullable(String)) COMMENT 'Free text, as the source names it',
    shift_id UUID COMMENT 'The shift',
    visit_id Nullable(UUID) COMMENT 'The visit that the event names',
    resolved_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When it was resolved; NULL while it is open',
    nearest_emergency_seconds Nullable(Decimal(18, 6)) COMMENT 'Distance to the technician''s nearest emergency_stop within the hour around it, always over 120; NULL where there is none',
    imported Bool COMMENT 'Set by importers of history: no flag was raised',
    received_at DateTime64(6, 'UTC') COMMENT 'When the log took it: what arrived late could be answered late only'
)
AS
WITH
    alarms AS
    (
        SELECT
            id, assumeNotNull(technician_contact_id) AS technician, created_at, severity, event_category, source_system, event_type, visit_id, resolved_at, imported, received_at
        FROM incidents
        WHERE technician_contact_id IS NOT NULL AND (event_category = 'security' OR severity = 'critical')
    ),
    on_shift AS
    (
        SELECT a.id AS id, argMax(s.shift_id, (s.started_at, s.shift_id)) AS shift_id
        FROM alarms AS a
        INNER JOIN
        (
            SELECT technician_contact_id, shift_id, started_at, closed_at
            FROM shift_results FINAL
            WHERE NOT is_deleted
        ) AS s ON a.technician = s.technician_contact_id
        WHERE a.created_at >= s.started_at AND a.created_at <= s.closed_at
        GROUP BY a.id
    ),
    presses AS
    (
        SELECT a.id AS id, min(abs(dateDiff('microsecond', a.created_at, e.created_at))) AS distance_us
        FROM alarms AS a
        INNER JOIN
        (
            SELECT technician_contact_id, created_at
            FROM technician_activity
            WHERE activity_type = 'emergency_stop'
        ) AS e ON a.technician = e.technician_contact_id
        WHERE abs(dateDiff('microsecond', a.created_at, e.created_at)) <= 3600000000
        GROUP BY a.id
    )
SELECT
    a.id AS id,
    a.technician AS technician_contact_id,
    a.created_at AS created_at,
    a.severity AS severity,
    a.event_category AS event_category,
    a.source_system AS source_system,
    a.event_type AS event_type,
    s.shift_id AS shift_id,
    a.visit_id AS visit_id,
    a.resolved_at AS resolved_at,
    CAST(toDecimal128(if(p.is_near, p.distance_us, NULL), 6) / 1000000, 'Nullable(Decimal(18, 6))') AS nearest_emergency_seconds,
    a.imported AS imported,
    a.received_at AS received_at
FROM alarms AS a
INNER JOIN on_shift AS s ON a.id = s.id
LEFT JOIN (SELECT id, distance_us, true AS is_near FROM presses) AS p ON a.id = p.id
WHERE NOT (p.is_near AND p.distance_us <= 120000000)
COMMENT 'Alarms that should have been an emergency: nobody pressed emergency_stop within 2 min before or after'

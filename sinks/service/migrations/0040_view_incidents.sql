CREATE OR REPLACE VIEW incidents
(
    id UUID COMMENT 'Id of the event; with revision its identity',
    created_at DateTime64(6, 'UTC') COMMENT 'When it happened',
    acknowledged_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When it was acknowledged, by the last update',
    resolved_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When it was resolved, by the last update; NULL while it is open',
    resolve_seconds Nullable(Decimal(18, 6)) COMMENT 'resolved_at - created_at; NULL where unresolved or negative',
    reopened Bool COMMENT 'An update with resolved_at was followed by one without',
    severity LowCardinality(String) COMMENT 'info, warning, error, critical',
    event_category LowCardinality(String) COMMENT 'communication, security, operational, system',
    source_system LowCardinality(Nullable(String)) COMMENT 'The system that reported it',
    acknowledge_seconds Nullable(Decimal(18, 6)) COMMENT 'acknowledged_at - created_at; NULL where not acknowledged or negative',
    open_seconds Nullable(Decimal(18, 6)) COMMENT 'Age of an open one by the newest time that the tables know of; NULL where resolved, or created ahead of it',
    updates UInt64 COMMENT 'Updates that count: repetitions and voided revisions are none',
    reopenings UInt64 COMMENT 'How often an update with resolved_at was followed by one without',
    event_type LowCardinality(Nullable(String)) COMMENT 'Free text, as the source names it',
    title Nullable(String) COMMENT 'Title',
    dedup_key Nullable(String) COMMENT 'The source''s own key',
    technician_contact_id Nullable(UUID) COMMENT 'The technician',
    vehicle_id Nullable(UUID) COMMENT 'The vehicle',
    visit_id Nullable(UUID) COMMENT 'The visit it belongs to',
    acknowledged_by_contact_id Nullable(UUID) COMMENT 'Who acknowledged it',
    resolved_by_contact_id Nullable(UUID) COMMENT 'Who resolved it',
    revision UInt32 COMMENT 'Revision of the last update',
    updated_at DateTime64(6, 'UTC') COMMENT 'recorded_at of the last update, else its created_at',
    source LowCardinality(Nullable(String)) COMMENT 'mobile, desktop, import, device, manual, simulator or other text',
    imported Bool COMMENT 'Set by importers of history',
    received_at DateTime64(6, 'UTC') COMMENT 'When the log took the last update (append time)',
    definition_version UInt16 COMMENT 'Number of the definition whose formulas the view holds'
)
AS
WITH
    -- An incident grows older while others are at work, too: whatever was stored last tells the time.
    latest AS
    (
        SELECT max(received_at) AS at FROM operational_event_log
        UNION ALL SELECT max(received_at) FROM technician_activity_log
        UNION ALL SELECT max(received_at) FROM technician_facts_log
        UNION ALL SELECT max(received_at) FROM communication_call_details_log
        UNION ALL SELECT max(received_at) FROM alert_deliveries_log
        UNION ALL SELECT max(received_at) FROM dead_letters_log
        UNION ALL SELECT max(as_of) FROM shift_results
        UNION ALL SELECT max(as_of) FROM episode_results
        UNION ALL SELECT max(as_of) FROM alert_results
    ),
    updates AS
    (
        -- What was sent again counts at its first place.
        SELECT
            id, revision, voided, content_hash, received_at, partition, offset, created_at, coalesce(recorded_at, created_at) AS updated_at,
            acknowledged_at, acknowledged_by_contact_id, resolved_at, resolved_by_contact_id, severity, event_category, source_system,
            event_type, title, dedup_key, technician_contact_id, vehicle_id, visit_id, source, imported
        FROM operational_event_log
        ORDER BY id, revision, content_hash, partition, offset
        LIMIT 1 BY id, revision, content_hash
    ),
    numbered AS
    (
        SELECT
            *,
            groupArrayIf(revision, voided) OVER (PARTITION BY id) AS voided_revisions,
            max(revision) OVER (PARTITION BY id) AS last_revision
        FROM updates
    ),
    ordered AS
    (
        SELECT
            *,
            row_number() OVER in_order AS number,
            lagInFrame(resolved_at IS NOT NULL) OVER in_order AS was_resolved,
            leadInFrame(1) OVER in_order AS is_followed
        FROM numbered
        WHERE NOT has(voided_revisions, revision) AND NOT has(voided_revisions, last_revision)
        WINDOW in_order AS
            (PARTITION BY id ORDER BY revision, updated_at, partition, offset ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    ),
    counted AS
    (
        SELECT *, countIf(was_resolved AND resolved_at IS NULL) OVER (PARTITION BY id) AS reopening_count
        FROM ordered
    )
SELECT
    id,
    created_at,
    acknowledged_at,
    resolved_at,
    CAST(if(resolved_at >= created_at, toDecimal128(dateDiff('microsecond', created_at, resolved_at), 6) / 1000000, NULL), 'Nullable(Decimal(18, 6))') AS resolve_seconds,
    CAST(reopening_count > 0, 'Bool') AS reopened,
    severity,
    event_category,
    source_system,
    CAST(if(acknowledged_at >= created_at, toDecimal128(dateDiff('microsecond', created_at, acknowledged_at), 6) / 1000000, NULL), 'Nullable(Decimal(18, 6))') AS acknowledge_seconds,
    CAST(if(resolved_at IS NULL AND clock >= created_at, toDecimal128(dateDiff('microsecond', created_at, clock), 6) / 1000000, NULL), 'Nullable(Decimal(18, 6))') AS open_seconds,
    number AS updates,
    reopening_count AS reopenings,
    event_type,
    title,
    dedup_key,
    technician_contact_id,
    vehicle_id,
    visit_id,
    acknowledged_by_contact_id,
    resolved_by_contact_id,
    revision,
    updated_at,
    source,
    imported,
    received_at,
    toUInt16(1) AS definition_version
FROM
(
    SELECT *, assumeNotNull((SELECT max(at) FROM latest)) AS clock
    FROM counted
    WHERE NOT is_followed
)
COMMENT 'One row per operational event that stands, by its last update: how long until it was acknowledged and resolved, and whether it was reopened'

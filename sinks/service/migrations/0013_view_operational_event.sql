CREATE OR REPLACE VIEW operational_event
(
    id UUID COMMENT 'Id of the event; with revision and subject its identity',
    created_at DateTime64(6, 'UTC') COMMENT 'When it happened',
    event_type LowCardinality(Nullable(String)) COMMENT 'Free text, as the source names it',
    event_category LowCardinality(String) COMMENT 'communication, security, operational, system',
    severity LowCardinality(String) COMMENT 'info, warning, error, critical',
    source_system LowCardinality(Nullable(String)) COMMENT 'The system that reported it',
    title Nullable(String) COMMENT 'Title',
    description Nullable(String) COMMENT 'Description',
    metadata Nullable(String) COMMENT 'JSON object, canonical text',
    resolved_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When it was resolved',
    resolved_by_contact_id Nullable(UUID) COMMENT 'Who resolved it',
    acknowledged_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When it was acknowledged',
    acknowledged_by_contact_id Nullable(UUID) COMMENT 'Who acknowledged it',
    dedup_key Nullable(String) COMMENT 'The source''s own key',
    technician_contact_id Nullable(UUID) COMMENT 'The technician',
    vehicle_id Nullable(UUID) COMMENT 'The vehicle',
    visit_id Nullable(UUID) COMMENT 'The visit it belongs to',
    revision UInt32 COMMENT 'An amendment is a higher revision of the same id',
    recorded_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When the device stored it',
    received_at DateTime64(6, 'UTC') COMMENT 'When the log took the record (append time)',
    utc_offset_minutes Nullable(Int16) COMMENT 'Minutes east of UTC of the clock that created_at was sent with',
    device_id LowCardinality(Nullable(String)) COMMENT 'Device that sent it',
    device_sequence Nullable(Int64) COMMENT 'Order of equal times on one device',
    source LowCardinality(Nullable(String)) COMMENT 'mobile, desktop, import, device, manual, simulator or other text',
    imported Bool COMMENT 'Set by importers of history: pages nobody',
    assigned Array(LowCardinality(String)) COMMENT 'Fields that the gateway or the publisher filled in',
    partition Int32 COMMENT 'Partition of the topic',
    offset Int64 COMMENT 'Offset in the partition; with the partition it names the record'
)
AS
SELECT
    id,
    created_at,
    event_type,
    event_category,
    severity,
    source_system,
    title,
    description,
    metadata,
    resolved_at,
    resolved_by_contact_id,
    acknowledged_at,
    acknowledged_by_contact_id,
    dedup_key,
    technician_contact_id,
    vehicle_id,
    visit_id,
    revision,
    recorded_at,
    received_at,
    utc_offset_minutes,
    device_id,
    device_sequence,
    source,
    imported,
    assigned,
    partition,
    offset
FROM
(
    SELECT id, created_at, event_type, event_category, severity, source_system, title, description, metadata, resolved_at, resolved_by_contact_id, acknowledged_at, acknowledged_by_contact_id, dedup_key, technician_contact_id, vehicle_id, visit_id, revision, recorded_at, received_at, utc_offset_minutes, device_id, device_sequence, source, imported, assigned, partition, offset, voided
    FROM
    (
        -- What was sent again counts at its first place.
        SELECT id, created_at, event_type, event_category, severity, source_system, title, description, metadata, resolved_at, resolved_by_contact_id, acknowledged_at, acknowledged_by_contact_id, dedup_key, technician_contact_id, vehicle_id, visit_id, revision, recorded_at, received_at, utc_offset_minutes, device_id, device_sequence, source, imported, assigned, partition, offset, voided
        FROM operational_event_log
        ORDER BY id, revision, content_hash, partition, offset
        LIMIT 1 BY id, revision, content_hash
    )
    ORDER BY id, revision DESC, voided DESC, coalesce(recorded_at, created_at) DESC, partition DESC, offset DESC
    LIMIT 1 BY id
)
WHERE NOT voided
COMMENT 'Operational events that stand, each with its last update: by revision, then recorded_at (else created_at), then position in the log; an update is the whole event, one that was sent again counts at its first place'

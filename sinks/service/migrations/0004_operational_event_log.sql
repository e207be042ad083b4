CREATE TABLE IF NOT EXISTS operational_event_log
(
    partition Int32 COMMENT 'Partition of the topic',
    offset Int64 COMMENT 'Offset in the partition; with the partition it names the record',
    received_at DateTime64(6, 'UTC') COMMENT 'When the log took the record (append time)',
    id UUID COMMENT 'Id of the event; with revision and subject its identity',
    revision UInt32 COMMENT 'An amendment is a higher revision of the same id',
    voided Bool COMMENT 'Withdraws the id',
    created_at DateTime64(6, 'UTC') COMMENT 'When it happened',
    utc_offset_minutes Nullable(Int16) COMMENT 'Minutes east of UTC of the clock that created_at was sent with',
    recorded_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When the device stored it',
    device_id LowCardinality(Nullable(String)) COMMENT 'Device that sent it',
    device_sequence Nullable(Int64) COMMENT 'Order of equal times on one device',
    source LowCardinality(Nullable(String)) COMMENT 'mobile, desktop, import, device, manual, simulator or other text',
    imported Bool COMMENT 'Set by importers of history: pages nobody',
    assigned Array(LowCardinality(String)) COMMENT 'Fields that the gateway or the publisher filled in',
    metadata Nullable(String) COMMENT 'JSON object, canonical text',
    content_hash UInt128 COMMENT 'xxh3-128 of the content; equal content of one id and revision is a duplicate',
    event_category LowCardinality(String) COMMENT 'communication, security, operational, system',
    severity LowCardinality(String) COMMENT 'info, warning, error, critical',
    event_type LowCardinality(Nullable(String)) COMMENT 'Free text, as the source names it',
    source_system LowCardinality(Nullable(String)) COMMENT 'The system that reported it',
    title Nullable(String) COMMENT 'Title',
    description Nullable(String) COMMENT 'Description',
    resolved_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When it was resolved',
    resolved_by_contact_id Nullable(UUID) COMMENT 'Who resolved it',
    acknowledged_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When it was acknowledged',
    acknowledged_by_contact_id Nullable(UUID) COMMENT 'Who acknowledged it',
    dedup_key Nullable(String) COMMENT 'The source''s own key',
    technician_contact_id Nullable(UUID) COMMENT 'The technician',
    vehicle_id Nullable(UUID) COMMENT 'The vehicle',
    visit_id Nullable(UUID) COMMENT 'The visit it belongs to',
    kind LowCardinality(String) ALIAS 'operational_event' COMMENT 'Kind of record'
)
ENGINE = {engine_prefix}ReplacingMergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (id, created_at, partition, offset)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'The log of operational_event and its updates as it is, one row per offset; an insert that was repeated may show twice until it is merged, FINAL reads exactly'

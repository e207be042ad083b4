CREATE OR REPLACE VIEW technician_activity
(
    id UUID COMMENT 'Id of the event; with revision and subject its identity',
    created_at DateTime64(6, 'UTC') COMMENT 'When it happened',
    technician_contact_id UUID COMMENT 'The technician',
    activity_type LowCardinality(String) COMMENT 'What the technician did',
    visit_id Nullable(UUID) COMMENT 'The visit it belongs to',
    vehicle_id Nullable(UUID) COMMENT 'The vehicle',
    location Tuple(latitude Nullable(Float64), longitude Nullable(Float64), accuracy_meters Nullable(Int32), address Nullable(String)) COMMENT 'Position as sent; all NULL where none was',
    notes Nullable(String) COMMENT 'Free text',
    metadata Nullable(String) COMMENT 'JSON object, canonical text',
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
    technician_contact_id,
    activity_type,
    visit_id,
    vehicle_id,
    CAST(tuple(latitude, longitude, accuracy_meters, address), 'Tuple(latitude Nullable(Float64), longitude Nullable(Float64), accuracy_meters Nullable(Int32), address Nullable(String))') AS location,
    notes,
    metadata,
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
    SELECT id, created_at, technician_contact_id, activity_type, visit_id, vehicle_id, notes, metadata, revision, recorded_at, received_at, utc_offset_minutes, device_id, device_sequence, source, imported, assigned, partition, offset, latitude, longitude, accuracy_meters, address, voided
    FROM technician_activity_log
    ORDER BY technician_contact_id, id, revision DESC, voided DESC, partition, offset
    LIMIT 1 BY technician_contact_id, id
)
WHERE NOT voided
COMMENT 'Activities that stand: of each id of a technician the highest revision that is not voided; of equal revisions the first in the log'

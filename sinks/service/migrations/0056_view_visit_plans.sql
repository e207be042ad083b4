CREATE OR REPLACE VIEW visit_plans
(
    technician_contact_id UUID COMMENT 'The technician',
    visit_id UUID COMMENT 'The visit',
    id UUID COMMENT 'The plan',
    revision UInt32 COMMENT 'An amendment is a higher revision of the same id',
    counts Bool COMMENT 'Of several plans of the technician for the visit the one with the smallest id counts',
    window_start DateTime64(6, 'UTC') COMMENT 'The earliest arrival promised',
    window_end DateTime64(6, 'UTC') COMMENT 'The latest arrival promised',
    promised_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When the promise was made',
    requested_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When the customer asked',
    job_id Nullable(UUID) COMMENT 'The job that the visit serves',
    priority LowCardinality(Nullable(String)) COMMENT 'Free text',
    location Tuple(latitude Nullable(Float64), longitude Nullable(Float64), accuracy_meters Nullable(Int32), address Nullable(String)) COMMENT 'Where, as sent; all NULL where none was',
    geofence_radius_meters Nullable(Float64) COMMENT 'An arrival outside of it is A20',
    received_at DateTime64(6, 'UTC') COMMENT 'When the log took the record (append time)',
    partition Int32 COMMENT 'Partition of the topic',
    offset Int64 COMMENT 'Offset in the partition; with the partition it names the record'
)
AS
SELECT
    technician_contact_id,
    assumeNotNull(p.visit_id) AS visit_id,
    assumeNotNull(p.id) AS id,
    revision,
    CAST(row_number() OVER (PARTITION BY technician_contact_id, p.visit_id ORDER BY UUIDToNum(assumeNotNull(p.id))) = 1, 'Bool') AS counts,
    assumeNotNull(p.window_start) AS window_start,
    assumeNotNull(p.window_end) AS window_end,
    promised_at,
    requested_at,
    job_id,
    priority,
    CAST(tuple(latitude, longitude, accuracy_meters, address), 'Tuple(latitude Nullable(Float64), longitude Nullable(Float64), accuracy_meters Nullable(Int32), address Nullable(String))') AS location,
    geofence_radius_meters,
    received_at,
    partition,
    offset
FROM
(
    SELECT technician_contact_id, visit_id, id, revision, voided, window_start, window_end, promised_at, requested_at, job_id, priority, latitude, longitude, accuracy_meters, address, geofence_radius_meters, received_at, partition, offset
    FROM technician_facts_log
    WHERE kind = 'visit_plan'
    ORDER BY technician_contact_id, id, revision DESC, voided DESC, partition, offset
    LIMIT 1 BY technician_contact_id, id
) AS p
WHERE NOT voided
COMMENT 'Visit plans that stand, as shift_plans; counts says which of several plans for one visit the KPIs use'

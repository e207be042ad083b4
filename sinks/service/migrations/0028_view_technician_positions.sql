CREATE OR REPLACE VIEW technician_positions
(
    technician_contact_id UUID COMMENT 'The technician',
    latitude Float64 COMMENT 'Degrees north',
    longitude Float64 COMMENT 'Degrees east',
    accuracy_meters Nullable(Int32) COMMENT 'Radius of the position, as sent; NULL where none was sent',
    address Nullable(String) COMMENT 'Address, as sent',
    located_at DateTime64(6, 'UTC') COMMENT 'When the technician was there',
    age_seconds Decimal(18, 6) COMMENT 'How long ago that is now',
    activity_type LowCardinality(Nullable(String)) COMMENT 'What the technician did there; NULL where a heartbeat of the device tells it',
    event_id Nullable(UUID) COMMENT 'The activity that carried it; NULL where a heartbeat of the device tells it',
    device_id LowCardinality(Nullable(String)) COMMENT 'Device that sent it'
)
AS
SELECT
    technician_contact_id,
    p.latest.2 AS latitude,
    p.latest.3 AS longitude,
    p.latest.4 AS accuracy_meters,
    p.latest.5 AS address,
    p.latest.1 AS located_at,
    CAST(toDecimal128(dateDiff('microsecond', located_at, now64(6, 'UTC')), 6) / 1000000, 'Decimal(18, 6)') AS age_seconds,
    CAST(p.latest.6, 'LowCardinality(Nullable(String))') AS activity_type,
    p.latest.7 AS event_id,
    CAST(p.latest.8, 'LowCardinality(Nullable(String))') AS device_id
FROM
(
    -- Of an activity and a heartbeat of one time the activity says more.
    SELECT technician_contact_id, argMax(l.place, (l.place.1, l.place.7 IS NOT NULL)) AS latest
    FROM
    (
        SELECT
            technician_contact_id,
            argMax(
                tuple(created_at, assumeNotNull(location.latitude), assumeNotNull(location.longitude), location.accuracy_meters, location.address,
                    toNullable(toString(activity_type)), toNullable(id), CAST(device_id, 'Nullable(String)')),
                tuple(
                    created_at,
                    (device_sequence IS NOT NULL, ifNull(device_sequence, 0)),
                    indexOf(
                        ['shift_start', 'vehicle_inspection', 'break_end', 'travel_end', 'travel_start of', 'travel_end of', 'arrived_on_site',
                            'work_started', 'work_resumed', 'work_paused', 'work_completed', 'left_site', 'travel_start', 'break_start', 'fuel_stop',
                            'emergency_stop', 'shift_end'],
                        concat(activity_type, if(visit_id IS NOT NULL AND activity_type IN ('travel_start', 'travel_end'), ' of', ''))),
                    UUIDToNum(id))) AS place
        FROM technician_activity
        WHERE location.latitude BETWEEN -90 AND 90 AND location.longitude BETWEEN -180 AND 180 AND NOT (location.latitude = 0 AND location.longitude = 0)
        GROUP BY technician_contact_id
        UNION ALL
        SELECT
            technician_contact_id,
            argMax(
                tuple(fact_at, assumeNotNull(latitude), assumeNotNull(longitude), accuracy_meters, address,
                    CAST(NULL, 'Nullable(String)'), CAST(NULL, 'Nullable(UUID)'), CAST(device_id, 'Nullable(String)')),
                (fact_at, partition, offset)) AS place
        FROM technician_facts_log
        WHERE kind = 'device_heartbeat' AND latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180 AND NOT (latitude = 0 AND longitude = 0)
        GROUP BY technician_contact_id
    ) AS l
    GROUP BY technician_contact_id
) AS p
COMMENT 'Last known position of each technician: of the latest standing activity or heartbeat with coordinates that can be, however coarse; accuracy and age say how far to trust it'

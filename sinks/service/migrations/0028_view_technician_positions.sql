CREATE OR REPLACE VIEW technician_positions
(
    technician_contact_id UUID COMMENT 'The technician',
    latitude Float64 COMMENT 'Degrees north',
    longitude Float64 COMMENT 'Degrees east',
    accuracy_meters Nullable(Int32) COMMENT 'Radius of the position, as sent; NULL where none was sent',
    address Nullable(String) COMMENT 'Address, as sent',
    located_at DateTime64(6, 'UTC') COMMENT 'When the technician was there',
    age_seconds Decimal(18, 6) COMMENT 'How long ago that is now',
    activity_type LowCardinality(String) COMMENT 'What the technician did there',
    event_id UUID COMMENT 'The activity that carried it'
)
AS
SELECT
    technician_contact_id,
    assumeNotNull(location.latitude) AS latitude,
    assumeNotNull(location.longitude) AS longitude,
    location.accuracy_meters AS accuracy_meters,
    location.address AS address,
    created_at AS located_at,
    CAST(toDecimal128(dateDiff('microsecond', created_at, now64(6, 'UTC')), 6) / 1000000, 'Decimal(18, 6)') AS age_seconds,
    activity_type,
    id AS event_id
FROM technician_activity
WHERE location.latitude BETWEEN -90 AND 90 AND location.longitude BETWEEN -180 AND 180 AND NOT (location.latitude = 0 AND location.longitude = 0)
ORDER BY
    technician_contact_id,
    created_at DESC,
    device_sequence DESC NULLS LAST,
    indexOf(
        ['shift_start', 'vehicle_inspection', 'break_end', 'travel_end', 'travel_start of', 'travel_end of', 'arrived_on_site', 'work_started',
            'work_resumed', 'work_paused', 'work_completed', 'left_site', 'travel_start', 'break_start', 'fuel_stop', 'emergency_stop', 'shift_end'],
        concat(activity_type, if(visit_id IS NOT NULL AND activity_type IN ('travel_start', 'travel_end'), ' of', ''))) DESC,
    UUIDToNum(id) DESC
LIMIT 1 BY technician_contact_id
COMMENT 'Last known position of each technician: the latest standing activity with coordinates that can be, however coarse; accuracy and age say how far to trust it'

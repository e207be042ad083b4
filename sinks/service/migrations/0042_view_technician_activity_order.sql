CREATE OR REPLACE VIEW technician_activity_order
(
    technician_contact_id UUID COMMENT 'The technician',
    place UInt64 COMMENT 'Place among the standing activities of the technician, from 1',
    id UUID COMMENT 'The activity',
    created_at DateTime64(6, 'UTC') COMMENT 'When it happened',
    activity_type LowCardinality(String) COMMENT 'What the technician did',
    visit_id Nullable(UUID) COMMENT 'The visit, as sent',
    vehicle_id Nullable(UUID) COMMENT 'The vehicle',
    utc_offset_minutes Nullable(Int16) COMMENT 'Minutes east of UTC of the clock that created_at was sent with',
    source LowCardinality(Nullable(String)) COMMENT 'Source of the event, as sent',
    imported Bool COMMENT 'Set by importers of history'
)
AS
WITH
    standing AS
    (
        SELECT
            technician_contact_id,
            id,
            created_at,
            activity_type,
            visit_id,
            vehicle_id,
            utc_offset_minutes,
            source,
            imported,
            toUnixTimestamp64Micro(created_at) AS at_us,
            (device_sequence IS NOT NULL, ifNull(device_sequence, 0)) AS sequence,
            (visit_id IS NOT NULL, UUIDToNum(ifNull(visit_id, toUUID('00000000-0000-0000-0000-000000000000')))) AS visit,
            activity_type IN ('arrived_on_site', 'work_started', 'work_resumed', 'work_paused', 'work_completed', 'left_site') AS is_on_site,
            visit.1 AND activity_type NOT IN ('shift_start', 'shift_end') AS has_visit
        FROM technician_activity
    ),
    ranked AS
    (
        SELECT
            *,
            maxOrNullIf(at_us, is_on_site OR has_visit) OVER
                (PARTITION BY technician_contact_id, visit ORDER BY at_us RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS visited_us,
            multiIf(
                activity_type = 'travel_start' AND NOT visit.1, 20,
                activity_type = 'travel_end' AND NOT visit.1, 3,
                transform(
                    toString(activity_type),
                    ['shift_start', 'vehicle_inspection', 'break_end', 'travel_start', 'travel_end', 'arrived_on_site', 'work_started',
                        'work_resumed', 'work_paused', 'work_completed', 'left_site', 'break_start', 'fuel_stop', 'emergency_stop', 'shift_end'],
                    [0, 1, 2, 10, 11, 12, 13, 14, 15, 16, 17, 21, 22, 23, 24],
                    24)) AS rank,
            intDiv(rank, 10) = 1 AS is_of_visit,
            is_of_visit AND ifNull(at_us - visited_us <= 86400000000, false) AS is_visited
        FROM standing
    )
SELECT
    technician_contact_id,
    row_number() OVER
    (
        PARTITION BY technician_contact_id
        ORDER BY
            at_us,
            sequence,
            intDiv(rank, 10),
            is_of_visit AND NOT is_visited,
            if(is_visited, -assumeNotNull(visited_us), 0),
            if(is_of_visit, visit, (false, toFixedString('', 16))),
            rank,
            UUIDToNum(id)
    ) AS place,
    id,
    created_at,
    activity_type,
    visit_id,
    vehicle_id,
    utc_offset_minutes,
    source,
    imported
FROM ranked
COMMENT 'Standing activities in the order in which they count: by time, then device_sequence, then what comes first of things that happened at once'

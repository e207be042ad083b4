CREATE OR REPLACE VIEW near_duplicates
(
    technician_contact_id UUID COMMENT 'The technician',
    id UUID COMMENT 'The event that takes no part',
    created_at DateTime64(6, 'UTC') COMMENT 'When it happened',
    activity_type LowCardinality(String) COMMENT 'What the technician did, once more',
    visit_id Nullable(UUID) COMMENT 'The visit, as sent',
    source LowCardinality(Nullable(String)) COMMENT 'Source of the event, as sent',
    stands_for_id UUID COMMENT 'The event that stands for it: same type and visit_id, at most 60 s earlier',
    seconds_after Decimal(18, 6) COMMENT 'Seconds from the event that stands to this one'
)
AS
WITH
    standing AS
    (
        SELECT
            technician_contact_id,
            id,
            activity_type,
            visit_id,
            source,
            toUnixTimestamp64Micro(created_at) AS at_us,
            (device_sequence IS NOT NULL, ifNull(device_sequence, 0)) AS sequence,
            (visit_id IS NOT NULL, UUIDToNum(ifNull(visit_id, toUUID('00000000-0000-0000-0000-000000000000')))) AS visit,
            activity_type IN ('arrived_on_site', 'work_started', 'work_resumed', 'work_paused', 'work_completed', 'left_site') AS is_on_site,
            visit.1 AND activity_type NOT IN ('shift_start', 'shift_end') AS has_visit
        FROM technician_activity
    ),
    placed AS
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
                    24)) AS place,
            intDiv(place, 10) = 1 AS is_of_visit,
            is_of_visit AND ifNull(at_us - visited_us <= 86400000000, false) AS is_visited
        FROM standing
    ),
    ordered AS
    (
        SELECT
            technician_contact_id,
            id,
            activity_type,
            visit_id,
            source,
            at_us,
            row_number() OVER in_order AS number,
            lagInFrame((activity_type, visit, at_us)) OVER in_order AS before,
            leadInFrame((activity_type, visit, at_us)) OVER in_order AS after,
            before.1 = activity_type AND before.2 = visit AND number > 1 AND at_us - before.3 <= 60000000 AS goes_on,
            after.1 = activity_type AND after.2 = visit AND after.3 - at_us <= 60000000 AS is_followed
        FROM placed
        WINDOW in_order AS
        (
            PARTITION BY technician_contact_id
            ORDER BY
                at_us,
                sequence,
                intDiv(place, 10),
                is_of_visit AND NOT is_visited,
                if(is_visited, -assumeNotNull(visited_us), 0),
                if(is_of_visit, visit, (false, toFixedString('', 16))),
                place,
                UUIDToNum(id)
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        )
    ),
    runs AS
    (
        SELECT
            technician_contact_id,
            sum(NOT goes_on) OVER (PARTITION BY technician_contact_id ORDER BY number ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS run,
            (number, at_us, id, activity_type, visit_id, source) AS tap
        FROM ordered
        WHERE goes_on OR is_followed
    ),
    folded AS
    (
        SELECT
            technician_contact_id,
            arraySort(groupArray(tap)) AS taps,
            arrayFold(
                (found, t) -> arrayPushBack(found, if(t.2 - taps[found[-1]].2 <= 60000000, found[-1], length(found) + 1)),
                arrayPopFront(taps),
                [toUInt64(1)]) AS stands
        FROM runs
        GROUP BY technician_contact_id, run
    )
SELECT
    technician_contact_id,
    tapped.1.3 AS id,
    fromUnixTimestamp64Micro(tapped.1.2, 'UTC') AS created_at,
    tapped.1.4 AS activity_type,
    tapped.1.5 AS visit_id,
    tapped.1.6 AS source,
    tapped.2.3 AS stands_for_id,
    toDecimal64(tapped.1.2 - tapped.2.2, 6) / 1000000 AS seconds_after
FROM folded
ARRAY JOIN arrayFilter(p -> p.1.1 != p.2.1, arrayMap((t, n) -> (t, taps[n]), taps, stands)) AS tapped
COMMENT 'Double taps: standing events that repeat the one before them (same type and visit_id, at most 60 s later) and take no part in any KPI'

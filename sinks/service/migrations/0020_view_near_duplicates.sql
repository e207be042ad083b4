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
    ordered AS
    (
        SELECT
            technician_contact_id,
            id,
            activity_type,
            visit_id,
            source,
            toUnixTimestamp64Micro(created_at) AS at_us,
            (visit_id IS NOT NULL, ifNull(visit_id, toUUID('00000000-0000-0000-0000-000000000000'))) AS visit,
            place AS number,
            lagInFrame((activity_type, visit, at_us)) OVER in_order AS before,
            leadInFrame((activity_type, visit, at_us)) OVER in_order AS after,
            before.1 = activity_type AND before.2 = visit AND number > 1 AND at_us - before.3 <= 60000000 AS goes_on,
            after.1 = activity_type AND after.2 = visit AND after.3 - at_us <= 60000000 AS is_followed
        FROM technician_activity_order
        WINDOW in_order AS
            (PARTITION BY technician_contact_id ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
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

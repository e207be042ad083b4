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
    stood AS
    (
        SELECT
            technician_contact_id,
            run,
            arrayJoin(arrayFold(
                (found, at) -> if(at - found[-1] <= 60000000, found, arrayPushBack(found, at)),
                arraySort(groupArray(tap.2)) AS times,
                [times[1]])) AS at_us
        FROM runs
        GROUP BY technician_contact_id, run
    ),
    judged AS
    (
        SELECT
            r.technician_contact_id AS technician_contact_id,
            r.tap AS tap,
            first_value(r.tap) OVER (PARTITION BY r.technician_contact_id, r.run, s.at_us ORDER BY r.tap.1 ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS stands
        FROM (SELECT *, tap.2 AS at_us FROM runs) AS r
        ASOF INNER JOIN stood AS s ON r.technician_contact_id = s.technician_contact_id AND r.run = s.run AND r.at_us >= s.at_us
    )
SELECT
    technician_contact_id,
    j.tap.3 AS id,
    fromUnixTimestamp64Micro(j.tap.2, 'UTC') AS created_at,
    j.tap.4 AS activity_type,
    j.tap.5 AS visit_id,
    j.tap.6 AS source,
    j.stands.3 AS stands_for_id,
    toDecimal64(j.tap.2 - j.stands.2, 6) / 1000000 AS seconds_after
FROM judged AS j
WHERE j.tap.1 != j.stands.1
COMMENT 'Double taps: standing events that repeat the one before them (same type and visit_id, at most 60 s later) and take no part in any KPI'

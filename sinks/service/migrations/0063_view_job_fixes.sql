CREATE OR REPLACE VIEW job_fixes
(
    job_id UUID COMMENT 'The job, as visit plans name it',
    visits_planned UInt64 COMMENT 'Distinct visits whose counting plan names the job',
    visits_attended UInt64 COMMENT 'Of these, where somebody was',
    first_visit_id Nullable(UUID) COMMENT 'The visit of the first trip',
    started_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When the first trip began: its first real arrival, else its first event',
    attendances UInt64 COMMENT 'Attendances of that trip, of all technicians',
    fixed_at Nullable(DateTime64(6, 'UTC')) COMMENT 'First work_completed of that trip; NULL while there is none',
    next_visit_id Nullable(UUID) COMMENT 'The visit of the next trip, which may be the same',
    next_started_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When the next trip began',
    fixed_first_time_7d Nullable(Bool) COMMENT 'Completed on the first trip, and no further trip began up to 7 days after; NULL while it is open',
    finality_7d LowCardinality(String) COMMENT 'final when the log''s clock is 7 days past the completion; without one when the first visit is final',
    fixed_first_time_14d Nullable(Bool) COMMENT 'Completed on the first trip, and no further trip began up to 14 days after; NULL while it is open',
    finality_14d LowCardinality(String) COMMENT 'final when the log''s clock is 14 days past the completion; without one when the first visit is final',
    fixed_first_time_30d Nullable(Bool) COMMENT 'Completed on the first trip, and no further trip began up to 30 days after; NULL while it is open',
    finality_30d LowCardinality(String) COMMENT 'final when the log''s clock is 30 days past the completion; without one when the first visit is final',
    trips UInt64 COMMENT 'How often somebody went there: attendances of a visit with less than 8 hours between them are one trip'
)
AS
WITH
    (SELECT at FROM log_clock) AS clock,
    attended AS
    (
        SELECT
            visit_id,
            arraySort(groupArrayArray(there)) AS attendances,
            arraySort(groupArrayArray(done)) AS completions,
            min(is_final) AS is_final,
            -- Where each trip begins. The last event of all attendances so far tells how long nobody has been there.
            arrayFold(
                (known, at) -> (
                    if(at.1 - known.2 >= 28800000000, arrayPushBack(known.1, at.1), known.1),
                    greatest(known.2, at.2)),
                attendances,
                (emptyArrayInt64(), attendances[1].1 - 28800000000)).1 AS trips
        FROM
        (
            SELECT
                technician_contact_id,
                visit_id,
                groupArrayIf((toUnixTimestamp64Micro(ifNull(e.arrived_at, e.first_event_at)), toUnixTimestamp64Micro(e.last_event_at)), has_attendance) AS there,
                groupArrayIf(toUnixTimestamp64Micro(assumeNotNull(e.completed_at)), e.completed_at IS NOT NULL) AS done,
                min(e.finality = 'final') AS is_final
            FROM episode_results AS e FINAL
            WHERE NOT is_deleted
            GROUP BY technician_contact_id, visit_id
            HAVING notEmpty(there)
        )
        GROUP BY visit_id
    ),
    made AS
    (
        SELECT
            visit_id,
            arrayMap(
                (began, number) -> (
                    toNullable(fromUnixTimestamp64Micro(began, 'UTC')),
                    visit_id,
                    arrayCount(at -> at.1 >= began AND (number = length(trips) OR at.1 < trips[number + 1]), attendances),
                    if(
                        arrayExists(at -> (number = 1 OR at >= began) AND (number = length(trips) OR at < trips[number + 1]), completions),
                        toNullable(fromUnixTimestamp64Micro(
                            arrayFirst(at -> (number = 1 OR at >= began) AND (number = length(trips) OR at < trips[number + 1]), completions), 'UTC')),
                        NULL),
                    is_final),
                trips,
                arrayEnumerate(trips)) AS trips_made
        FROM attended
    ),
    jobs AS
    (
        SELECT
            p.job AS job_id,
            count() AS visits_planned,
            countIf(notEmpty(m.trips_made)) AS visits_attended,
            arraySort(v -> (v.1, UUIDToNum(v.2)), groupArrayArray(m.trips_made)) AS seen
        FROM (SELECT DISTINCT assumeNotNull(job_id) AS job, visit_id FROM visit_plans WHERE counts AND job_id IS NOT NULL) AS p
        LEFT JOIN made AS m ON m.visit_id = p.visit_id
        GROUP BY p.job
    )
SELECT
    job_id,
    visits_planned,
    visits_attended,
    if(visits_attended > 0, toNullable(seen[1].2), NULL) AS first_visit_id,
    if(visits_attended > 0, seen[1].1, NULL) AS started_at,
    if(visits_attended > 0, seen[1].3, 0) AS attendances,
    if(visits_attended > 0, seen[1].4, NULL) AS fixed_at,
    if(trips > 1, toNullable(seen[2].2), NULL) AS next_visit_id,
    if(trips > 1, seen[2].1, NULL) AS next_started_at,
    multiIf(
        visits_attended = 0, NULL,
        fixed_at IS NOT NULL, CAST(ifNull(next_started_at > fixed_at + toIntervalDay(7), true), 'Nullable(Bool)'),
        trips > 1 OR seen[1].5, CAST(false, 'Nullable(Bool)'),
        NULL) AS fixed_first_time_7d,
    CAST(if(visits_attended > 0 AND ifNull(clock > fixed_at + toIntervalDay(7), seen[1].5), 'final', 'provisional'), 'LowCardinality(String)') AS finality_7d,
    multiIf(
        visits_attended = 0, NULL,
        fixed_at IS NOT NULL, CAST(ifNull(next_started_at > fixed_at + toIntervalDay(14), true), 'Nullable(Bool)'),
        trips > 1 OR seen[1].5, CAST(false, 'Nullable(Bool)'),
        NULL) AS fixed_first_time_14d,
    CAST(if(visits_attended > 0 AND ifNull(clock > fixed_at + toIntervalDay(14), seen[1].5), 'final', 'provisional'), 'LowCardinality(String)') AS finality_14d,
    multiIf(
        visits_attended = 0, NULL,
        fixed_at IS NOT NULL, CAST(ifNull(next_started_at > fixed_at + toIntervalDay(30), true), 'Nullable(Bool)'),
        trips > 1 OR seen[1].5, CAST(false, 'Nullable(Bool)'),
        NULL) AS fixed_first_time_30d,
    CAST(if(visits_attended > 0 AND ifNull(clock > fixed_at + toIntervalDay(30), seen[1].5), 'final', 'provisional'), 'LowCardinality(String)') AS finality_30d,
    length(seen) AS trips
FROM jobs
COMMENT 'One row per job that visit plans name: whether it was fixed on the first trip, within 7, 14 and 30 days'

CREATE OR REPLACE VIEW job_fixes
(
    job_id UUID COMMENT 'The job, as visit plans name it',
    visits_planned UInt64 COMMENT 'Distinct visits whose counting plan names the job',
    visits_attended UInt64 COMMENT 'Of these, where somebody was',
    first_visit_id Nullable(UUID) COMMENT 'The visit that was attended first',
    started_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When its first attendance began: its first real arrival, else its first event',
    attendances UInt64 COMMENT 'Attendances of that visit, of all technicians',
    fixed_at Nullable(DateTime64(6, 'UTC')) COMMENT 'First work_completed of that visit; NULL while there is none',
    next_visit_id Nullable(UUID) COMMENT 'The next visit of the job that was attended',
    next_started_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When its first attendance began',
    fixed_first_time_7d Nullable(Bool) COMMENT 'Completed at the first visit, and no further visit began up to 7 days after; NULL while it is open',
    finality_7d LowCardinality(String) COMMENT 'final when the log''s clock is 7 days past the completion; without one when the first visit is final',
    fixed_first_time_14d Nullable(Bool) COMMENT 'Completed at the first visit, and no further visit began up to 14 days after; NULL while it is open',
    finality_14d LowCardinality(String) COMMENT 'final when the log''s clock is 14 days past the completion; without one when the first visit is final',
    fixed_first_time_30d Nullable(Bool) COMMENT 'Completed at the first visit, and no further visit began up to 30 days after; NULL while it is open',
    finality_30d LowCardinality(String) COMMENT 'final when the log''s clock is 30 days past the completion; without one when the first visit is final'
)
AS
WITH
    (SELECT at FROM log_clock) AS clock,
    attended AS
    (
        SELECT
            visit_id,
            min(began_at) AS began_at,
            sum(attendances) AS attendances,
            min(completed_at) AS completed_at,
            min(is_final) AS is_final
        FROM
        (
            SELECT
                technician_contact_id,
                visit_id,
                toNullable(minIf(ifNull(e.arrived_at, e.first_event_at), has_attendance)) AS began_at,
                countIf(has_attendance) AS attendances,
                min(e.completed_at) AS completed_at,
                min(e.finality = 'final') AS is_final
            FROM episode_results AS e FINAL
            WHERE NOT is_deleted
            GROUP BY technician_contact_id, visit_id
            HAVING attendances > 0
        )
        GROUP BY visit_id
    ),
    jobs AS
    (
        SELECT
            p.job AS job_id,
            count() AS visits_planned,
            arraySort(v -> (v.1, UUIDToNum(v.2)), groupArrayIf((a.began_at, p.visit_id, a.attendances, a.completed_at, a.is_final), a.began_at IS NOT NULL)) AS seen
        FROM (SELECT DISTINCT assumeNotNull(job_id) AS job, visit_id FROM visit_plans WHERE counts AND job_id IS NOT NULL) AS p
        LEFT JOIN attended AS a ON a.visit_id = p.visit_id
        GROUP BY p.job
    )
SELECT
    job_id,
    visits_planned,
    length(seen) AS visits_attended,
    if(visits_attended > 0, toNullable(seen[1].2), NULL) AS first_visit_id,
    if(visits_attended > 0, seen[1].1, NULL) AS started_at,
    if(visits_attended > 0, seen[1].3, 0) AS attendances,
    if(visits_attended > 0, seen[1].4, NULL) AS fixed_at,
    if(visits_attended > 1, toNullable(seen[2].2), NULL) AS next_visit_id,
    if(visits_attended > 1, seen[2].1, NULL) AS next_started_at,
    multiIf(
        visits_attended = 0, NULL,
        fixed_at IS NOT NULL, CAST(ifNull(next_started_at > fixed_at + toIntervalDay(7), true), 'Nullable(Bool)'),
        visits_attended > 1 OR seen[1].5, CAST(false, 'Nullable(Bool)'),
        NULL) AS fixed_first_time_7d,
    CAST(if(visits_attended > 0 AND ifNull(clock > fixed_at + toIntervalDay(7), seen[1].5), 'final', 'provisional'), 'LowCardinality(String)') AS finality_7d,
    multiIf(
        visits_attended = 0, NULL,
        fixed_at IS NOT NULL, CAST(ifNull(next_started_at > fixed_at + toIntervalDay(14), true), 'Nullable(Bool)'),
        visits_attended > 1 OR seen[1].5, CAST(false, 'Nullable(Bool)'),
        NULL) AS fixed_first_time_14d,
    CAST(if(visits_attended > 0 AND ifNull(clock > fixed_at + toIntervalDay(14), seen[1].5), 'final', 'provisional'), 'LowCardinality(String)') AS finality_14d,
    multiIf(
        visits_attended = 0, NULL,
        fixed_at IS NOT NULL, CAST(ifNull(next_started_at > fixed_at + toIntervalDay(30), true), 'Nullable(Bool)'),
        visits_attended > 1 OR seen[1].5, CAST(false, 'Nullable(Bool)'),
        NULL) AS fixed_first_time_30d,
    CAST(if(visits_attended > 0 AND ifNull(clock > fixed_at + toIntervalDay(30), seen[1].5), 'final', 'provisional'), 'LowCardinality(String)') AS finality_30d
FROM jobs
COMMENT 'One row per job that visit plans name: whether it was fixed at its first visit, within 7, 14 and 30 days'

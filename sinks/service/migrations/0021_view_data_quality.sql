CREATE OR REPLACE VIEW data_quality
(
    event LowCardinality(String) COMMENT 'technician_activity, communication_call_details or operational_event',
    source String COMMENT 'As sent; empty where none was',
    records UInt64 COMMENT 'Records in the log',
    standing UInt64 COMMENT 'Ids that stand: their highest revision is not voided',
    duplicates UInt64 COMMENT 'Records that repeat an id and revision with the same content',
    conflicts UInt64 COMMENT 'Records that give an id and revision another content; the first in the log stands',
    amendments UInt64 COMMENT 'Records with a revision above 0',
    voids UInt64 COMMENT 'Records that withdraw their id',
    ids_under_two_subjects UInt64 COMMENT 'Ids that were sent for two technicians or two queues',
    lag_seconds_p50 Nullable(Float64) COMMENT 'Median of received_at - created_at; imported records aside',
    lag_seconds_p95 Nullable(Float64) COMMENT '95 % of the records were received within this time; imported records aside',
    upload_lag_seconds_p50 Nullable(Float64) COMMENT 'Median of received_at - recorded_at, where the device says when it stored the event',
    upload_lag_seconds_p95 Nullable(Float64) COMMENT 'The same for 95 % of the records',
    clocks_ahead UInt64 COMMENT 'Records whose created_at is more than 5 minutes ahead of received_at; imported records aside',
    clock_ahead_seconds_max Float64 COMMENT 'The furthest that a created_at was ahead of its received_at',
    shifts UInt64 COMMENT 'Shifts whose shift_start came from the source',
    shifts_without_end UInt64 COMMENT 'Of these, how many have no shift_end',
    anomalies_per_1000_events Nullable(Float64) COMMENT 'Anomaly codes on shifts and episodes that begin with an event of the source, per 1,000 standing ids'
)
AS
WITH
    records AS
    (
        SELECT
            'technician_activity' AS event, reinterpretAsUInt128(technician_contact_id) AS subject, id, revision, voided, created_at, recorded_at, received_at,
            imported, content_hash, ifNull(toString(source), '') AS sender, partition, offset
        FROM technician_activity_log FINAL
        UNION ALL
        SELECT
            'communication_call_details', reinterpretAsUInt128(sipHash128(subject)), id, revision, voided, created_at, recorded_at, received_at,
            imported, content_hash, ifNull(toString(source), ''), partition, offset
        FROM communication_call_details_log FINAL
        UNION ALL
        SELECT
            'operational_event', reinterpretAsUInt128(id), id, revision, voided, created_at, recorded_at, received_at,
            imported, content_hash, ifNull(toString(source), ''), partition, offset
        FROM operational_event_log FINAL
    ),
    counted AS
    (
        SELECT
            event,
            sender,
            count() AS records,
            countIf(revision > 0) AS amendments,
            countIf(voided) AS voids,
            quantileExactOrNullIf(0.5)(dateDiff('microsecond', created_at, received_at) / 1e6, NOT imported) AS lag_seconds_p50,
            quantileExactOrNullIf(0.95)(dateDiff('microsecond', created_at, received_at) / 1e6, NOT imported) AS lag_seconds_p95,
            quantileExactOrNullIf(0.5)(dateDiff('microsecond', assumeNotNull(recorded_at), received_at) / 1e6, recorded_at IS NOT NULL) AS upload_lag_seconds_p50,
            quantileExactOrNullIf(0.95)(dateDiff('microsecond', assumeNotNull(recorded_at), received_at) / 1e6, recorded_at IS NOT NULL) AS upload_lag_seconds_p95,
            countIf(NOT imported AND dateDiff('microsecond', received_at, created_at) > 300000000) AS clocks_ahead,
            greatest(0, maxIf(dateDiff('microsecond', received_at, created_at), NOT imported)) / 1e6 AS clock_ahead_seconds_max
        FROM records
        GROUP BY event, sender
    ),
    contents AS
    (
        SELECT event, subject, id, revision, content_hash, min(sender) AS sender, count() AS repeats, max(voided) AS is_voided
        FROM records
        GROUP BY event, subject, id, revision, content_hash
    ),
    revisions AS
    (
        SELECT
            event, subject, id, revision,
            min(sender) AS sender,
            sum(repeats) - count() AS duplicates,
            if(event = 'operational_event', 0, greatest(countIf(NOT is_voided), 1) - 1) AS conflicts,
            max(is_voided) AS is_void
        FROM contents
        GROUP BY event, subject, id, revision
    ),
    identities AS
    (
        SELECT
            event, subject, id,
            argMax(sender, revision) AS sender,
            sum(duplicates) AS duplicates,
            sum(conflicts) AS conflicts,
            NOT argMax(is_void, revision) AS stands
        FROM revisions
        GROUP BY event, subject, id
    ),
    identified AS
    (
        SELECT
            event,
            sender,
            sum(standing) AS standing,
            sum(duplicates) AS duplicates,
            sum(conflicts) AS conflicts,
            countIf(subjects > 1) AS ids_under_two_subjects
        FROM
        (
            SELECT
                event, id, min(sender) AS sender, countIf(stands) AS standing, sum(duplicates) AS duplicates,
                sum(conflicts) AS conflicts, count() AS subjects
            FROM identities
            GROUP BY event, id
        )
        GROUP BY event, sender
    ),
    units AS
    (
        SELECT technician_contact_id, shift_id AS first_id, length(anomalies) AS codes, 1 AS is_shift, ended_at IS NULL AS is_open
        FROM shift_results FINAL
        WHERE NOT is_deleted
        UNION ALL
        SELECT technician_contact_id, first_event_id, length(anomalies), 0, 0
        FROM episode_results FINAL
        WHERE NOT is_deleted
    ),
    judged AS
    (
        SELECT 'technician_activity' AS event, sender, sum(codes) AS codes, sum(is_shift) AS shifts, sum(is_shift * is_open) AS shifts_without_end
        FROM units
        INNER JOIN
        (
            SELECT technician_contact_id, id, argMax(ifNull(toString(source), ''), (revision, -offset)) AS sender
            FROM technician_activity_log
            WHERE (technician_contact_id, id) IN (SELECT technician_contact_id, first_id FROM units)
            GROUP BY technician_contact_id, id
        ) AS begun
            ON units.first_id = begun.id AND units.technician_contact_id = begun.technician_contact_id
        GROUP BY sender
    )
SELECT
    event,
    sender AS source,
    records,
    standing,
    duplicates,
    conflicts,
    amendments,
    voids,
    ids_under_two_subjects,
    lag_seconds_p50,
    lag_seconds_p95,
    upload_lag_seconds_p50,
    upload_lag_seconds_p95,
    clocks_ahead,
    toFloat64(clock_ahead_seconds_max) AS clock_ahead_seconds_max,
    shifts,
    shifts_without_end,
    if(event = 'technician_activity', 1000 * codes / nullIf(standing, 0), NULL) AS anomalies_per_1000_events
FROM counted
LEFT JOIN identified USING (event, sender)
LEFT JOIN judged USING (event, sender)
COMMENT 'What is known about the quality of the data, per kind of event and source'

CREATE OR REPLACE VIEW data_quality
(
    event LowCardinality(String) COMMENT 'technician_activity, communication_call_details or operational_event',
    source String COMMENT 'As sent; empty where none was',
    records UInt64 COMMENT 'Records in the log',
    standing UInt64 COMMENT 'Records that stand: what their id says now',
    duplicates UInt64 COMMENT 'Records that repeat an id and revision with content that came before; of a void only these two matter',
    conflicts UInt64 COMMENT 'Records that gave the highest revision of an id another content, each content once; the first in the log stands (A27)',
    near_duplicates UInt64 COMMENT 'Standing events that take no part in any KPI: double taps, see near_duplicates',
    amendments UInt64 COMMENT 'Records with a revision above 0',
    voids UInt64 COMMENT 'Records that withdraw their id',
    ids_under_two_subjects UInt64 COMMENT 'Ids that were sent for two technicians or two queues, by the record that first named the second',
    lag_seconds_p50 Nullable(Float64) COMMENT 'Median of received_at - created_at; imported records aside',
    lag_seconds_p95 Nullable(Float64) COMMENT '95 % of the records were received within this time; imported records aside',
    upload_lag_seconds_p50 Nullable(Float64) COMMENT 'Median of received_at - recorded_at, where the device says when it stored the event',
    upload_lag_seconds_p95 Nullable(Float64) COMMENT 'The same for 95 % of the records',
    clocks_ahead UInt64 COMMENT 'Records whose created_at is more than 5 minutes ahead of received_at; imported records aside',
    clock_ahead_seconds_max Float64 COMMENT 'The furthest that a created_at was ahead of its received_at',
    shifts UInt64 COMMENT 'Shifts whose shift_start came from the source',
    shifts_without_end UInt64 COMMENT 'Of these, how many have no shift_end',
    anomalies_per_1000_events Nullable(Float64) COMMENT 'Anomaly codes on shifts and episodes that begin with an event of the source, per 1,000 standing records'
)
AS
WITH
    records AS
    (
        SELECT
            'technician_activity' AS event, reinterpretAsUInt128(technician_contact_id) AS subject, id, revision, voided, created_at, recorded_at, received_at,
            imported, if(voided, 0, content_hash) AS content, ifNull(toString(source), '') AS sender, partition, offset, 1 AS first_stands, 0 AS updated_us
        FROM technician_activity_log FINAL
        UNION ALL
        SELECT
            'communication_call_details', reinterpretAsUInt128(sipHash128(subject)), id, revision, voided, created_at, recorded_at, received_at,
            imported, if(voided, 0, content_hash), ifNull(toString(source), ''), partition, offset, 1, 0
        FROM communication_call_details_log FINAL
        UNION ALL
        SELECT
            'operational_event', reinterpretAsUInt128(id), id, revision, voided, created_at, recorded_at, received_at,
            imported, content_hash, ifNull(toString(source), ''), partition, offset, -1, toUnixTimestamp64Micro(coalesce(recorded_at, created_at))
        FROM operational_event_log FINAL
    ),
    judged_records AS
    (
        SELECT
            *,
            max((revision, voided)) OVER (PARTITION BY event, subject, id) AS highest,
            row_number() OVER (PARTITION BY event, subject, id, revision, content ORDER BY partition, offset) AS nth_of_content,
            row_number() OVER
            (
                PARTITION BY event, subject, id, revision
                ORDER BY updated_us DESC, first_stands * partition, first_stands * offset
            ) AS nth_of_revision,
            revision = highest.1 AND NOT highest.2 AS is_in_force
        FROM records
    ),
    counted AS
    (
        SELECT
            event,
            sender,
            count() AS records,
            countIf(is_in_force AND nth_of_revision = 1) AS standing,
            countIf(nth_of_content > 1) AS duplicates,
            countIf(is_in_force AND first_stands = 1 AND nth_of_content = 1 AND nth_of_revision > 1) AS conflicts,
            countIf(revision > 0) AS amendments,
            countIf(voided) AS voids,
            quantileExactOrNullIf(0.5)(dateDiff('microsecond', created_at, received_at) / 1e6, NOT imported) AS lag_seconds_p50,
            quantileExactOrNullIf(0.95)(dateDiff('microsecond', created_at, received_at) / 1e6, NOT imported) AS lag_seconds_p95,
            quantileExactOrNullIf(0.5)(dateDiff('microsecond', assumeNotNull(recorded_at), received_at) / 1e6, recorded_at IS NOT NULL) AS upload_lag_seconds_p50,
            quantileExactOrNullIf(0.95)(dateDiff('microsecond', assumeNotNull(recorded_at), received_at) / 1e6, recorded_at IS NOT NULL) AS upload_lag_seconds_p95,
            countIf(NOT imported AND dateDiff('microsecond', received_at, created_at) > 300000000) AS clocks_ahead,
            greatest(0, maxIf(dateDiff('microsecond', received_at, created_at), NOT imported)) / 1e6 AS clock_ahead_seconds_max
        FROM judged_records
        GROUP BY event, sender
    ),
    named AS
    (
        SELECT event, id, subject, min((received_at, partition, offset, sender)) AS first
        FROM
        (
            SELECT 'technician_activity' AS event, id, reinterpretAsUInt128(technician_contact_id) AS subject, received_at, partition, offset, ifNull(toString(source), '') AS sender
            FROM technician_activity_log
            WHERE id IN (SELECT id FROM technician_activity_log GROUP BY id HAVING min(technician_contact_id) != max(technician_contact_id))
            UNION ALL
            SELECT 'communication_call_details', id, reinterpretAsUInt128(sipHash128(subject)), received_at, partition, offset, ifNull(toString(source), '')
            FROM communication_call_details_log
            WHERE id IN (SELECT id FROM communication_call_details_log GROUP BY id HAVING min(subject) != max(subject))
        )
        GROUP BY event, id, subject
    ),
    named_twice AS
    (
        SELECT event, sender, count() AS ids_under_two_subjects
        FROM (SELECT event, id, arraySort(groupArray(first))[2].4 AS sender FROM named GROUP BY event, id)
        GROUP BY event, sender
    ),
    tapped AS
    (
        SELECT 'technician_activity' AS event, ifNull(toString(source), '') AS sender, count() AS near_duplicates
        FROM near_duplicates
        GROUP BY sender
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
    near_duplicates,
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
LEFT JOIN named_twice USING (event, sender)
LEFT JOIN tapped USING (event, sender)
LEFT JOIN judged USING (event, sender)
COMMENT 'What is known about the quality of the data, per kind of event and source'

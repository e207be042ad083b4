CREATE OR REPLACE VIEW calls_after_visits
(
    id UUID COMMENT 'The call record',
    visit_id UUID COMMENT 'The visit that was over',
    link LowCardinality(String) COMMENT 'visit_id: the call names the visit; thread_id: an activity of the visit names the thread of the call in its metadata',
    visit_ended_at DateTime64(6, 'UTC') COMMENT 'Last left_site of the visit, of a technician without one the work_completed',
    entered_at DateTime64(6, 'UTC') COMMENT 'Queue entry of the call: started_at, else created_at',
    seconds_after Decimal(18, 6) COMMENT 'From the end of the visit to the call, at most 90 days',
    within_days UInt16 COMMENT 'Smallest whole number N for which the call is within N days after the visit: filter on within_days <= N',
    is_inbound Bool COMMENT 'Neither call_type nor direction is outbound',
    call_type LowCardinality(String) COMMENT 'inbound, outbound, missed, voicemail',
    call_outcome LowCardinality(String) COMMENT 'answered, voicemail_left, no_answer, busy, failed, transferred',
    queue_name LowCardinality(Nullable(String)) COMMENT 'The queue, as sent',
    thread_id Nullable(UUID) COMMENT 'Same caller, same thread',
    call_id UUID COMMENT 'The call that this contact is part of: root_call_id, else id',
    technician_contact_ids Array(UUID) COMMENT 'Technicians of the visit'
)
AS
WITH
    ended AS
    (
        SELECT visit_id, max(assumeNotNull(coalesce(left_at, completed_at))) AS ended_at, arraySort(groupUniqArray(technician_contact_id)) AS technicians
        FROM visits
        WHERE left_at IS NOT NULL OR completed_at IS NOT NULL
        GROUP BY visit_id
    ),
    threads AS
    (
        SELECT DISTINCT
            assumeNotNull(visit_id) AS visit_id,
            toUUIDOrNull(ifNull(
                nullIf(JSONExtractString(assumeNotNull(metadata), 'thread_id'), ''),
                JSONExtractString(assumeNotNull(metadata), 'unmapped', 'thread_id'))) AS thread_id
        FROM technician_activity
        WHERE visit_id IS NOT NULL AND position(ifNull(metadata, ''), '"thread_id"') > 0
    ),
    named AS
    (
        SELECT
            id, call_id, entered_at, is_inbound, call_type, call_outcome, queue_name, thread_id,
            (assumeNotNull(visit_id), 'visit_id') AS named
        FROM calls
        WHERE visit_id IS NOT NULL
        UNION ALL
        SELECT
            c.id, c.call_id, c.entered_at, c.is_inbound, c.call_type, c.call_outcome, c.queue_name, c.thread_id,
            (t.visit_id, 'thread_id')
        FROM (SELECT *, assumeNotNull(thread_id) AS thread FROM calls WHERE thread_id IS NOT NULL) AS c
        INNER JOIN (SELECT visit_id, assumeNotNull(thread_id) AS thread FROM threads WHERE thread_id IS NOT NULL) AS t ON c.thread = t.thread
        WHERE ifNull(c.visit_id != t.visit_id, true)
    )
SELECT
    n.id AS id,
    e.visit_id AS visit_id,
    n.named.2 AS link,
    e.ended_at AS visit_ended_at,
    n.entered_at AS entered_at,
    toDecimal128(dateDiff('microsecond', e.ended_at, n.entered_at), 6) / 1000000 AS seconds_after,
    toUInt16(intDiv(dateDiff('microsecond', e.ended_at, n.entered_at) + 86399999999, 86400000000)) AS within_days,
    n.is_inbound AS is_inbound,
    n.call_type AS call_type,
    n.call_outcome AS call_outcome,
    n.queue_name AS queue_name,
    n.thread_id AS thread_id,
    n.call_id AS call_id,
    e.technicians AS technician_contact_ids
FROM (SELECT *, named.1 AS visit_id FROM named) AS n
INNER JOIN ended AS e ON n.visit_id = e.visit_id
WHERE n.entered_at > e.ended_at AND n.entered_at <= e.ended_at + INTERVAL 90 DAY
COMMENT 'Calls after a visit that they are linked with, at most 90 days; filter on within_days'

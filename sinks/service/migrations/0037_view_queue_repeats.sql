CREATE OR REPLACE VIEW queue_repeats
(
    queue_name LowCardinality(String) COMMENT 'The queue; empty for answered calls without one',
    call_date Date32 COMMENT 'Day (UTC) of the queue entry',
    answered UInt64 COMMENT 'Answered inbound call records',
    without_thread UInt64 COMMENT 'Of these without a thread: not judged',
    provisional UInt64 COMMENT 'Of the rest those whose 7 days have not passed: not judged yet',
    judged UInt64 COMMENT 'What is left',
    repeated UInt64 COMMENT 'Of the judged: the caller called again within 7 days',
    first_contact_resolution Nullable(Float64) COMMENT '1 - repeated / judged, a stand-in for first-contact resolution; NULL where none is judged',
    definition_version UInt16 COMMENT 'Number of the definition whose formulas the view holds'
)
AS
SELECT
    queue_name,
    call_date,
    answered,
    without_thread,
    provisional,
    judged,
    repeated,
    (judged - repeated) / nullIf(judged, 0) AS first_contact_resolution,
    toUInt16(1) AS definition_version
FROM
(
    SELECT
        ifNull(r.queue_name, '') AS queue_name,
        toDate32(r.entered_at) AS call_date,
        count() AS answered,
        countIf(r.thread_id IS NULL) AS without_thread,
        countIf(r.thread_id IS NOT NULL AND r.finality = 'provisional') AS provisional,
        countIf(r.thread_id IS NOT NULL AND r.finality = 'final') AS judged,
        countIf(r.repeated AND r.finality = 'final') AS repeated
    FROM call_repeats AS r
    GROUP BY queue_name, call_date
)
COMMENT 'Repeat calls per queue and day (UTC); counts may be added up, the ratio is made of sums'

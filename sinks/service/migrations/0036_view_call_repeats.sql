CREATE OR REPLACE VIEW call_repeats
(
    id UUID COMMENT 'The answered inbound call record',
    call_id UUID COMMENT 'The call that it is part of',
    queue_name LowCardinality(Nullable(String)) COMMENT 'The queue, as sent',
    thread_id Nullable(UUID) COMMENT 'Same caller, same thread; without it nothing is known',
    entered_at DateTime64(6, 'UTC') COMMENT 'Queue entry: started_at, else created_at',
    transferred Bool COMMENT 'Outcome transferred',
    next_inbound_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When the next inbound call of the thread began, however much later; a transfer of the same call is none',
    seconds_to_next Nullable(Decimal(18, 6)) COMMENT 'From this entry to that one',
    repeated Nullable(Bool) COMMENT 'It came within 7 days; NULL without a thread',
    first_contact_resolved Nullable(Bool) COMMENT 'It did not: a stand-in for first-contact resolution, an upper bound of it; NULL without a thread',
    finality LowCardinality(String) COMMENT 'final when 7 days have passed since, by the clock of the log of calls; provisional before',
    definition_version UInt16 COMMENT 'Number of the definition whose formulas the view holds'
)
AS
WITH
    contacts AS
    (
        SELECT
            id,
            call_id,
            queue_name,
            thread_id,
            entered_at,
            toUnixTimestamp64Micro(entered_at) AS entered_us,
            call_outcome = 'transferred' AS is_transferred,
            call_type NOT IN ('missed', 'voicemail') AND call_outcome IN ('answered', 'transferred') AS is_judged,
            -- A call without a thread is a thread of its own.
            (thread_id IS NULL, coalesce(thread_id, id)) AS thread
        FROM calls
        WHERE is_inbound
    ),
    begun AS
    (
        SELECT *, entered_us = min(entered_us) OVER (PARTITION BY thread, call_id) AS begins
        FROM contacts
    ),
    followed AS
    (
        -- Backwards in time, so that the frame only grows.
        SELECT
            *,
            minOrNullIf(entered_us, begins) OVER
                (PARTITION BY thread ORDER BY -entered_us RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS next_us
        FROM begun
    )
SELECT
    id,
    call_id,
    queue_name,
    thread_id,
    entered_at,
    CAST(is_transferred, 'Bool') AS transferred,
    fromUnixTimestamp64Micro(next_us, 'UTC') AS next_inbound_at,
    CAST(toDecimal128(next_us - entered_us, 6) / 1000000, 'Nullable(Decimal(18, 6))') AS seconds_to_next,
    CAST(if(thread_id IS NULL, NULL, ifNull(next_us - entered_us <= 604800000000, false)), 'Nullable(Bool)') AS repeated,
    CAST(NOT repeated, 'Nullable(Bool)') AS first_contact_resolved,
    if(entered_us + 604800000000 <= (SELECT toUnixTimestamp64Micro(max(received_at)) FROM communication_call_details_log), 'final', 'provisional') AS finality,
    toUInt16(1) AS definition_version
FROM followed
WHERE is_judged
COMMENT 'Answered inbound call records, and whether the caller called again within 7 days'

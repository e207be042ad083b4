CREATE OR REPLACE VIEW call_backs
(
    id UUID COMMENT 'The call record that was missed',
    queue_name LowCardinality(Nullable(String)) COMMENT 'The queue, as sent',
    thread_id Nullable(UUID) COMMENT 'Same caller, same thread; without it nothing is known',
    call_type LowCardinality(String) COMMENT 'missed, or the type of a call that was abandoned',
    abandoned Bool COMMENT 'Abandoned in a queue',
    entered_at DateTime64(6, 'UTC') COMMENT 'Queue entry: started_at, else created_at',
    called_back_at Nullable(DateTime64(6, 'UTC')) COMMENT 'First outbound call of the thread after it; NULL while there is none',
    call_back_seconds Nullable(Decimal(18, 6)) COMMENT 'From the queue entry to it',
    reached_at Nullable(DateTime64(6, 'UTC')) COMMENT 'First such call that was answered or transferred',
    reach_seconds Nullable(Decimal(18, 6)) COMMENT 'From the queue entry to it',
    called_again_at Nullable(DateTime64(6, 'UTC')) COMMENT 'First inbound call of the thread after it: the caller tried again',
    definition_version UInt16 COMMENT 'Number of the definition whose formulas the view holds'
)
AS
WITH
    contacts AS
    (
        SELECT
            id,
            queue_name,
            thread_id,
            call_type,
            abandoned,
            entered_at,
            toUnixTimestamp64Micro(entered_at) AS entered_us,
            is_inbound,
            NOT is_inbound AND call_outcome IN ('answered', 'transferred') AND call_type != 'missed' AS reaches,
            is_inbound AND (call_type = 'missed' OR abandoned) AS is_missed,
            -- A call without a thread is a thread of its own.
            (thread_id IS NULL, coalesce(thread_id, id)) AS thread
        FROM calls
    ),
    followed AS
    (
        -- Backwards in time, so that the frames only grow.
        SELECT
            *,
            minOrNullIf(entered_us, NOT is_inbound) OVER later AS back_us,
            minOrNullIf(entered_us, reaches) OVER later AS reached_us,
            minOrNullIf(entered_us, is_inbound) OVER later AS again_us
        FROM contacts
        WINDOW later AS (PARTITION BY thread ORDER BY -entered_us RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    )
SELECT
    id,
    queue_name,
    thread_id,
    call_type,
    abandoned,
    entered_at,
    fromUnixTimestamp64Micro(back_us, 'UTC') AS called_back_at,
    CAST(toDecimal128(back_us - entered_us, 6) / 1000000, 'Nullable(Decimal(18, 6))') AS call_back_seconds,
    fromUnixTimestamp64Micro(reached_us, 'UTC') AS reached_at,
    CAST(toDecimal128(reached_us - entered_us, 6) / 1000000, 'Nullable(Decimal(18, 6))') AS reach_seconds,
    fromUnixTimestamp64Micro(again_us, 'UTC') AS called_again_at,
    toUInt16(1) AS definition_version
FROM followed
WHERE is_missed
COMMENT 'Missed and abandoned calls, and how long it took until the caller was called back'

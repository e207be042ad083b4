CREATE OR REPLACE VIEW communication_call_details
(
    id UUID COMMENT 'Id of the event; with revision and subject its identity',
    communication_message_id Nullable(UUID) COMMENT 'The message that the call extends',
    call_type LowCardinality(String) COMMENT 'inbound, outbound, missed, voicemail',
    duration_seconds Nullable(Int32) COMMENT 'Length of the call, as sent',
    wait_time_seconds Nullable(Int32) COMMENT 'Time in the queue, as sent',
    recording_url Nullable(String) COMMENT 'Where the recording is',
    transcription Nullable(String) COMMENT 'Text of the call',
    sentiment_score Nullable(Float64) COMMENT 'As sent; its scale is the source''s',
    call_outcome LowCardinality(String) COMMENT 'answered, voicemail_left, no_answer, busy, failed, transferred',
    transferred_to_contact_id Nullable(UUID) COMMENT 'Who took it over',
    queue_name LowCardinality(Nullable(String)) COMMENT 'The queue',
    ivr_path Nullable(String) COMMENT 'JSON, canonical text',
    channel_type LowCardinality(Nullable(String)) COMMENT 'Of the message',
    direction LowCardinality(Nullable(String)) COMMENT 'Of the message',
    thread_id Nullable(UUID) COMMENT 'Same caller, same thread',
    created_at DateTime64(6, 'UTC') COMMENT 'When it happened',
    started_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When the caller entered the queue',
    agent_contact_id Nullable(UUID) COMMENT 'Who answered',
    root_call_id Nullable(UUID) COMMENT 'First record of a transferred call',
    abandoned Nullable(Bool) COMMENT 'The caller hung up',
    sentiment_basis LowCardinality(Nullable(String)) COMMENT 'text or voice',
    subject String COMMENT 'What the topic is keyed by: queue, else thread, else the call',
    metadata Nullable(String) COMMENT 'JSON object, canonical text',
    revision UInt32 COMMENT 'An amendment is a higher revision of the same id',
    recorded_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When the device stored it',
    received_at DateTime64(6, 'UTC') COMMENT 'When the log took the record (append time)',
    utc_offset_minutes Nullable(Int16) COMMENT 'Minutes east of UTC of the clock that created_at was sent with',
    device_id LowCardinality(Nullable(String)) COMMENT 'Device that sent it',
    device_sequence Nullable(Int64) COMMENT 'Order of equal times on one device',
    source LowCardinality(Nullable(String)) COMMENT 'mobile, desktop, import, device, manual, simulator or other text',
    imported Bool COMMENT 'Set by importers of history: pages nobody',
    assigned Array(LowCardinality(String)) COMMENT 'Fields that the gateway or the publisher filled in',
    partition Int32 COMMENT 'Partition of the topic',
    offset Int64 COMMENT 'Offset in the partition; with the partition it names the record'
)
AS
SELECT
    id,
    communication_message_id,
    call_type,
    duration_seconds,
    wait_time_seconds,
    recording_url,
    transcription,
    sentiment_score,
    call_outcome,
    transferred_to_contact_id,
    queue_name,
    ivr_path,
    channel_type,
    direction,
    thread_id,
    created_at,
    started_at,
    agent_contact_id,
    root_call_id,
    abandoned,
    sentiment_basis,
    subject,
    metadata,
    revision,
    recorded_at,
    received_at,
    utc_offset_minutes,
    device_id,
    device_sequence,
    source,
    imported,
    assigned,
    partition,
    offset
FROM
(
    SELECT id, communication_message_id, call_type, duration_seconds, wait_time_seconds, recording_url, transcription, sentiment_score, call_outcome, transferred_to_contact_id, queue_name, ivr_path, channel_type, direction, thread_id, created_at, started_at, agent_contact_id, root_call_id, abandoned, sentiment_basis, subject, metadata, revision, recorded_at, received_at, utc_offset_minutes, device_id, device_sequence, source, imported, assigned, partition, offset, voided
    FROM communication_call_details_log
    ORDER BY subject, id, revision DESC, voided DESC, partition, offset
    LIMIT 1 BY subject, id
)
WHERE NOT voided
COMMENT 'Calls that stand: of each id of a queue (else thread, else the call itself) the highest revision that is not voided; of equal revisions the first in the log'

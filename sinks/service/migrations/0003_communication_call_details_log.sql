CREATE TABLE IF NOT EXISTS communication_call_details_log
(
    partition Int32 COMMENT 'Partition of the topic',
    offset Int64 COMMENT 'Offset in the partition; with the partition it names the record',
    received_at DateTime64(6, 'UTC') COMMENT 'When the log took the record (append time)',
    subject String COMMENT 'What the topic is keyed by: queue, else thread, else the call',
    id UUID COMMENT 'Id of the event; with revision and subject its identity',
    revision UInt32 COMMENT 'An amendment is a higher revision of the same id',
    voided Bool COMMENT 'Withdraws the id',
    created_at DateTime64(6, 'UTC') COMMENT 'When it happened',
    utc_offset_minutes Nullable(Int16) COMMENT 'Minutes east of UTC of the clock that created_at was sent with',
    recorded_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When the device stored it',
    device_id LowCardinality(Nullable(String)) COMMENT 'Device that sent it',
    device_sequence Nullable(Int64) COMMENT 'Order of equal times on one device',
    source LowCardinality(Nullable(String)) COMMENT 'mobile, desktop, import, device, manual, simulator or other text',
    imported Bool COMMENT 'Set by importers of history: pages nobody',
    assigned Array(LowCardinality(String)) COMMENT 'Fields that the gateway or the publisher filled in',
    metadata Nullable(String) COMMENT 'JSON object, canonical text',
    content_hash UInt128 COMMENT 'xxh3-128 of the content; equal content of one id and revision is a duplicate',
    communication_message_id Nullable(UUID) COMMENT 'The message that the call extends',
    call_type LowCardinality(String) COMMENT 'inbound, outbound, missed, voicemail',
    call_outcome LowCardinality(String) COMMENT 'answered, voicemail_left, no_answer, busy, failed, transferred',
    duration_seconds Nullable(Int32) COMMENT 'Length of the call, as sent',
    wait_time_seconds Nullable(Int32) COMMENT 'Time in the queue, as sent',
    recording_url Nullable(String) COMMENT 'Where the recording is',
    transcription Nullable(String) COMMENT 'Text of the call',
    sentiment_score Nullable(Float64) COMMENT 'As sent; its scale is the source''s',
    sentiment_basis LowCardinality(Nullable(String)) COMMENT 'text or voice',
    transferred_to_contact_id Nullable(UUID) COMMENT 'Who took it over',
    queue_name LowCardinality(Nullable(String)) COMMENT 'The queue',
    ivr_path Nullable(String) COMMENT 'JSON, canonical text',
    channel_type LowCardinality(Nullable(String)) COMMENT 'Of the message',
    direction LowCardinality(Nullable(String)) COMMENT 'Of the message',
    started_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When the caller entered the queue',
    agent_contact_id Nullable(UUID) COMMENT 'Who answered',
    thread_id Nullable(UUID) COMMENT 'Same caller, same thread',
    root_call_id Nullable(UUID) COMMENT 'First record of a transferred call',
    abandoned Nullable(Bool) COMMENT 'The caller hung up',
    kind LowCardinality(String) ALIAS 'communication_call_details' COMMENT 'Kind of record'
)
ENGINE = {engine_prefix}ReplacingMergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (subject, created_at, partition, offset)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'The log of communication_call_details as it is, one row per offset; an insert that was repeated may show twice until it is merged, FINAL reads exactly'

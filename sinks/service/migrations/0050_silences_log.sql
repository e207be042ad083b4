CREATE TABLE IF NOT EXISTS silences_log
(
    partition Int32 COMMENT 'Partition of the topic',
    offset Int64 COMMENT 'Offset in the partition; with the partition it names the record',
    received_at DateTime64(6, 'UTC') COMMENT 'When the log took the record (append time)',
    id UUID COMMENT 'Identity of the silence',
    revision UInt32 COMMENT 'An amendment is a higher revision of the same id',
    voided Bool COMMENT 'It was ended before its time',
    created_at DateTime64(6, 'UTC') COMMENT 'From when it held',
    until DateTime64(6, 'UTC') COMMENT 'When it is over',
    flag LowCardinality(Nullable(String)) COMMENT 'Of this flag only',
    technician_contact_id Nullable(UUID) COMMENT 'Of this technician only',
    team LowCardinality(Nullable(String)) COMMENT 'Of this team only',
    actor_contact_id Nullable(UUID) COMMENT 'Who silenced',
    note Nullable(String) COMMENT 'Why, in their words',
    content_hash UInt128 COMMENT 'xxh3-128 of the content; equal content of one id and revision is a duplicate'
)
ENGINE = {engine_prefix}ReplacingMergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (id, revision, partition, offset)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Silences of alerts, every record of the log, one row per offset; FINAL reads exactly'

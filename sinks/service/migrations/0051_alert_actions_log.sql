CREATE TABLE IF NOT EXISTS alert_actions_log
(
    partition Int32 COMMENT 'Partition of the topic',
    offset Int64 COMMENT 'Offset in the partition; with the partition it names the record',
    received_at DateTime64(6, 'UTC') COMMENT 'When the log took the record (append time)',
    id UUID COMMENT 'Identity of the action',
    alert_id String COMMENT 'The alert: flag:subject:cause',
    created_at DateTime64(6, 'UTC') COMMENT 'When it was done',
    action LowCardinality(String) COMMENT 'acknowledge, resolve, note',
    reason LowCardinality(Nullable(String)) COMMENT 'Of a resolution: false_alarm, assisted, dispatched, test',
    actor_contact_id Nullable(UUID) COMMENT 'Who did it',
    note Nullable(String) COMMENT 'What they wrote',
    content_hash UInt128 COMMENT 'xxh3-128 of the content; equal content of one id and revision is a duplicate'
)
ENGINE = {engine_prefix}ReplacingMergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (alert_id, id, partition, offset)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'What people did about alerts, every record of the log, one row per offset; FINAL reads exactly'

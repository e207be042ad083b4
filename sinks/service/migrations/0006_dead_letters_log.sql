CREATE TABLE IF NOT EXISTS dead_letters_log
(
    partition Int32 COMMENT 'Partition of the topic',
    offset Int64 COMMENT 'Offset in the partition; with the partition it names the record',
    received_at DateTime64(6, 'UTC') COMMENT 'When the log took the record (append time)',
    source_topic LowCardinality(String) COMMENT 'Topic the record was read from',
    source_partition Int32 COMMENT 'Its partition',
    source_offset Int64 COMMENT 'Its offset',
    source_received_at DateTime64(6, 'UTC') COMMENT 'When the log took the original record',
    reason LowCardinality(String) COMMENT 'Why',
    detail String COMMENT 'Field and position, never the person''s data',
    stage LowCardinality(String) COMMENT 'decode or validate',
    key String COMMENT 'The original record''s key',
    payload String COMMENT 'The record''s bytes as they stand in the log'
)
ENGINE = {engine_prefix}ReplacingMergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (source_topic, source_partition, source_offset, partition, offset)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'The log of dead_letters as it is; the view dead_letters has one row per source position'

CREATE TABLE IF NOT EXISTS contacts_log
(
    partition Int32 COMMENT 'Partition of the topic',
    offset Int64 COMMENT 'Offset in the partition; with the partition it names the record',
    received_at DateTime64(6, 'UTC') COMMENT 'When the log took the record (append time)',
    id UUID COMMENT 'The person: technician_contact_id, agent_contact_id, actor_contact_id',
    revision UInt32 COMMENT 'An amendment is a higher revision of the same id',
    contact_kind LowCardinality(String) COMMENT 'technician, agent, customer',
    display_name Nullable(String) COMMENT 'Name to show',
    team LowCardinality(Nullable(String)) COMMENT 'Team',
    content_hash UInt128 COMMENT 'xxh3-128 of the content; equal content of one id and revision is a duplicate'
)
ENGINE = {engine_prefix}ReplacingMergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (id, revision, partition, offset)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Names and teams, every record of the log, one row per offset; FINAL reads exactly'

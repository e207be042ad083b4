CREATE OR REPLACE VIEW dead_letters
(
    topic LowCardinality(String) COMMENT 'Topic of the record; file: and the path as given for a line of a file',
    partition Int32 COMMENT 'Its partition; of a line of a file a fingerprint of its bytes',
    offset Int64 COMMENT 'Its offset; of a file the line number',
    received_at DateTime64(6, 'UTC') COMMENT 'When the log took it',
    reason LowCardinality(String) COMMENT 'Why it could not be understood; a closed list',
    detail String COMMENT 'Field and position, never the person''s data',
    stage LowCardinality(String) COMMENT 'decode, validate or import',
    key String COMMENT 'The original record''s key',
    payload String COMMENT 'The original bytes',
    dead_lettered_at DateTime64(6, 'UTC') COMMENT 'When it was set aside'
)
AS
SELECT
    source_topic AS topic,
    l.source_partition AS partition,
    l.source_offset AS offset,
    l.source_received_at AS received_at,
    reason,
    detail,
    stage,
    key,
    payload,
    l.received_at AS dead_lettered_at
FROM
(
    SELECT *
    FROM dead_letters_log
    ORDER BY source_topic, source_partition, source_offset, received_at, partition, offset
    LIMIT 1 BY source_topic, source_partition, source_offset
) AS l
COMMENT 'Records that could not be understood, one row per source position, with their bytes and the reason'

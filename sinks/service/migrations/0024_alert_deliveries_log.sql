CREATE TABLE IF NOT EXISTS alert_deliveries_log
(
    partition Int32 COMMENT 'Partition of the topic',
    offset Int64 COMMENT 'Offset in the partition; with the partition it names the record',
    received_at DateTime64(6, 'UTC') COMMENT 'When the log took the record (append time)',
    alert_id String COMMENT 'The alert',
    notification UInt32 COMMENT 'Which of its notifications',
    receiver LowCardinality(String) COMMENT 'The receiver''s name in the configuration',
    channel LowCardinality(String) COMMENT 'terminal, webhook, slack, teams, alertmanager, pagerduty, mail',
    attempt UInt32 COMMENT 'From 1; counts the attempts of this notification at this receiver',
    outcome LowCardinality(String) COMMENT 'acknowledged, failed, gave_up, suppressed',
    attempted_at DateTime64(6, 'UTC') COMMENT 'When the attempt began, by the sender''s clock',
    waited_us Int64 COMMENT 'Microseconds from the publication of the notification to the attempt',
    took_us Int64 COMMENT 'Microseconds that the attempt took',
    status Nullable(Int32) COMMENT 'Status of the HTTP or SMTP answer',
    detail String COMMENT 'What happened, never with a person''s data'
)
ENGINE = {engine_prefix}ReplacingMergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (alert_id, partition, offset)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'The log of deliveries as it is, one row per offset; FINAL reads exactly'

CREATE OR REPLACE VIEW alert_deliveries
(
    alert_id String COMMENT 'The alert',
    flag LowCardinality(String) COMMENT 'What the alert is about',
    subject String COMMENT 'Whom or what the alert is about',
    notification UInt32 COMMENT 'Which of its notifications',
    receiver LowCardinality(String) COMMENT 'The receiver''s name in the configuration',
    channel LowCardinality(String) COMMENT 'terminal, webhook, slack, teams, alertmanager, pagerduty, mail',
    attempt UInt32 COMMENT 'From 1; counts the attempts of this notification at this receiver',
    outcome LowCardinality(String) COMMENT 'acknowledged, failed, gave_up, suppressed',
    attempted_at DateTime64(6, 'UTC') COMMENT 'When the attempt began, by the sender''s clock',
    waited_seconds Decimal(18, 6) COMMENT 'From the publication of the notification to the attempt',
    took_seconds Decimal(18, 6) COMMENT 'How long the attempt took',
    status Nullable(Int32) COMMENT 'Status of the HTTP or SMTP answer',
    detail String COMMENT 'What happened, never with a person''s data',
    received_at DateTime64(6, 'UTC') COMMENT 'When the log took the record (append time)',
    partition Int32 COMMENT 'Partition of the topic',
    offset Int64 COMMENT 'Offset in the partition; with the partition it names the record'
)
AS
SELECT
    alert_id,
    CAST(splitByChar(':', alert_id)[1], 'LowCardinality(String)') AS flag,
    arrayStringConcat(arrayPopBack(arrayPopFront(splitByChar(':', alert_id))), ':') AS subject,
    notification,
    receiver,
    channel,
    attempt,
    outcome,
    attempted_at,
    CAST(toDecimal128(waited_us, 6) / 1000000, 'Decimal(18, 6)') AS waited_seconds,
    CAST(toDecimal128(took_us, 6) / 1000000, 'Decimal(18, 6)') AS took_seconds,
    status,
    detail,
    received_at,
    partition,
    offset
FROM alert_deliveries_log FINAL
COMMENT 'Every attempt to tell a receiver of an alert, one row each'

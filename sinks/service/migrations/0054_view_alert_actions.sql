CREATE OR REPLACE VIEW alert_actions
(
    alert_id String COMMENT 'The alert: flag:subject:cause',
    flag LowCardinality(String) COMMENT 'What the alert is about',
    subject String COMMENT 'Whom or what the alert is about',
    id UUID COMMENT 'Identity of the action',
    created_at DateTime64(6, 'UTC') COMMENT 'When it was done',
    action LowCardinality(String) COMMENT 'acknowledge, resolve, note',
    reason LowCardinality(Nullable(String)) COMMENT 'Of a resolution: false_alarm, assisted, dispatched, test',
    actor_contact_id Nullable(UUID) COMMENT 'Who did it',
    note Nullable(String) COMMENT 'What they wrote',
    received_at DateTime64(6, 'UTC') COMMENT 'When the log took the record (append time)'
)
AS
SELECT
    alert_id,
    CAST(splitByChar(':', alert_id)[1], 'LowCardinality(String)') AS flag,
    arrayStringConcat(arrayPopBack(arrayPopFront(splitByChar(':', alert_id))), ':') AS subject,
    id,
    created_at,
    action,
    reason,
    actor_contact_id,
    note,
    received_at
FROM
(
    SELECT id, alert_id, created_at, action, reason, actor_contact_id, note, received_at
    FROM alert_actions_log
    ORDER BY alert_id, id, partition, offset
    LIMIT 1 BY alert_id, id
)
COMMENT 'What people did about alerts: each action once, the first in the log; what came of it is in alerts_history'

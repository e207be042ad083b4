CREATE OR REPLACE VIEW silences
(
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
    received_at DateTime64(6, 'UTC') COMMENT 'When the log took the record (append time)'
)
AS
SELECT
    id,
    revision,
    voided,
    created_at,
    until,
    flag,
    technician_contact_id,
    team,
    actor_contact_id,
    note,
    received_at
FROM
(
    SELECT id, revision, voided, created_at, until, flag, technician_contact_id, team, actor_contact_id, note, received_at
    FROM silences_log
    ORDER BY id, revision DESC, partition, offset
    LIMIT 1 BY id
)
COMMENT 'Silences as they stand: of each the highest revision; S1 and S6 pass through all of them'

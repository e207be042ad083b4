CREATE OR REPLACE VIEW contacts
(
    id UUID COMMENT 'The person: technician_contact_id, agent_contact_id, actor_contact_id',
    revision UInt32 COMMENT 'An amendment is a higher revision of the same id',
    contact_kind LowCardinality(String) COMMENT 'technician, agent, customer',
    display_name Nullable(String) COMMENT 'Name to show',
    team LowCardinality(Nullable(String)) COMMENT 'Team',
    received_at DateTime64(6, 'UTC') COMMENT 'When the log took the record (append time)'
)
AS
SELECT
    id,
    revision,
    contact_kind,
    display_name,
    team,
    received_at
FROM
(
    SELECT id, revision, contact_kind, display_name, team, received_at
    FROM contacts_log
    ORDER BY id, revision DESC, partition, offset
    LIMIT 1 BY id
)
COMMENT 'Names and teams as they stand: of each person the highest revision, of equal revisions the first in the log'

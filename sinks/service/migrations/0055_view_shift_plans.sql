CREATE OR REPLACE VIEW shift_plans
(
    technician_contact_id UUID COMMENT 'The technician',
    id UUID COMMENT 'The plan',
    revision UInt32 COMMENT 'An amendment is a higher revision of the same id',
    planned_start DateTime64(6, 'UTC') COMMENT 'When the shift should start',
    planned_end DateTime64(6, 'UTC') COMMENT 'When the shift should end',
    planned_seconds Decimal(18, 6) COMMENT 'From the planned start to the planned end; negative where they are the wrong way round',
    lone_worker Bool COMMENT 'The lone-worker profile applies',
    time_zone LowCardinality(Nullable(String)) COMMENT 'IANA name, as sent',
    received_at DateTime64(6, 'UTC') COMMENT 'When the log took the record (append time)',
    partition Int32 COMMENT 'Partition of the topic',
    offset Int64 COMMENT 'Offset in the partition; with the partition it names the record'
)
AS
SELECT
    technician_contact_id,
    assumeNotNull(p.id) AS id,
    revision,
    assumeNotNull(p.planned_start) AS planned_start,
    assumeNotNull(p.planned_end) AS planned_end,
    CAST(toDecimal128(toUnixTimestamp64Micro(assumeNotNull(p.planned_end)) - toUnixTimestamp64Micro(assumeNotNull(p.planned_start)), 6) / 1000000, 'Decimal(18, 6)') AS planned_seconds,
    assumeNotNull(p.lone_worker) AS lone_worker,
    time_zone,
    received_at,
    partition,
    offset
FROM
(
    SELECT technician_contact_id, id, revision, voided, planned_start, planned_end, lone_worker, time_zone, received_at, partition, offset
    FROM technician_facts_log
    WHERE kind = 'shift_plan'
    ORDER BY technician_contact_id, id, revision DESC, voided DESC, partition, offset
    LIMIT 1 BY technician_contact_id, id
) AS p
WHERE NOT voided
COMMENT 'Shift plans that stand: of each id of a technician the highest revision that is not voided, of equal revisions the first in the log; a plan is here from its release on, at the latest 24 h before its start'

CREATE OR REPLACE VIEW calls_during_travel
(
    id UUID COMMENT 'The call record',
    technician_contact_id UUID COMMENT 'The technician on the phone',
    role LowCardinality(String) COMMENT 'agent: agent_contact_id is the technician; transferred_to: transferred_to_contact_id is',
    talk_began_at DateTime64(6, 'UTC') COMMENT 'When the technician was spoken to: queue entry and known wait, for transferred_to the known duration too',
    queue_name LowCardinality(Nullable(String)) COMMENT 'The queue, as sent',
    call_type LowCardinality(String) COMMENT 'inbound, outbound, missed, voicemail',
    call_outcome LowCardinality(String) COMMENT 'answered, voicemail_left, no_answer, busy, failed, transferred',
    duration_seconds Nullable(Int32) COMMENT 'Length of the call, as sent',
    travel_started_at DateTime64(6, 'UTC') COMMENT 'When the travel began',
    visit_id Nullable(UUID) COMMENT 'The visit travelled to, where one is named',
    travel_quality Enum8('observed' = 0, 'imputed' = 1, 'open' = 2) COMMENT 'How sure the end of the travel is: with open the technician may have arrived already'
)
AS
WITH
    spoken AS
    (
        SELECT
            id, queue_name, call_type, call_outcome, duration_seconds,
            entered_at + toIntervalSecond(greatest(ifNull(wait_time_seconds, 0), 0)) AS answered_at,
            arrayJoin(arrayFilter(p -> isNotNull(p.2),
            [
                ('agent', agent_contact_id, answered_at),
                ('transferred_to', transferred_to_contact_id, answered_at + toIntervalSecond(greatest(ifNull(duration_seconds, 0), 0)))
            ])) AS person
        FROM calls
        WHERE agent_contact_id IS NOT NULL OR transferred_to_contact_id IS NOT NULL
    )
SELECT
    s.id AS id,
    t.technician_contact_id AS technician_contact_id,
    s.person.1 AS role,
    s.person.3 AS talk_began_at,
    s.queue_name AS queue_name,
    s.call_type AS call_type,
    s.call_outcome AS call_outcome,
    s.duration_seconds AS duration_seconds,
    t.travel_started_at AS travel_started_at,
    t.visit_id AS visit_id,
    t.quality AS travel_quality
FROM (SELECT *, assumeNotNull(person.2) AS technician, person.3 AS at FROM spoken) AS s
ASOF INNER JOIN technician_travels AS t ON s.technician = t.technician_contact_id AND s.at >= t.from_at
WHERE s.at < t.to_at
COMMENT 'Calls whose agent, or whose transfer''s target, is a technician who is travelling at that moment'

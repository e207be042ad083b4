CREATE OR REPLACE VIEW technician_timeline
(
    technician_contact_id UUID COMMENT 'The technician',
    at DateTime64(6, 'UTC') COMMENT 'When it happened; of a call its queue entry',
    place UInt64 COMMENT 'Place in the technician''s timeline, from 1',
    local_date Date32 COMMENT 'Date of at by the offset that the record was sent with, else UTC',
    family LowCardinality(String) COMMENT 'activity, operational or call',
    id UUID COMMENT 'Id of the record in technician_activity, operational_event or communication_call_details',
    what LowCardinality(String) COMMENT 'The activity type; category and severity; call type and outcome',
    role LowCardinality(String) COMMENT 'actor of an activity, subject of an operational event, agent or transferred_to of a call',
    visit_id Nullable(UUID) COMMENT 'The visit, where one is named',
    vehicle_id Nullable(UUID) COMMENT 'The vehicle, where one is named',
    ended_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When it was over, where that is known: resolved_at; of a call queue entry, wait and duration',
    source LowCardinality(Nullable(String)) COMMENT 'mobile, desktop, import, device, manual, simulator or other text',
    imported Bool COMMENT 'Set by importers of history'
)
AS
SELECT
    technician_contact_id,
    at,
    row_number() OVER (PARTITION BY technician_contact_id ORDER BY at, rank, activity_place, id, role) AS place,
    toDate32(at + toIntervalMinute(ifNull(utc_offset_minutes, 0))) AS local_date,
    family,
    id,
    what,
    role,
    visit_id,
    vehicle_id,
    ended_at,
    source,
    imported
FROM
(
    SELECT
        technician_contact_id, created_at AS at, 0 AS rank, place AS activity_place, utc_offset_minutes, 'activity' AS family, id,
        CAST(activity_type, 'String') AS what, 'actor' AS role, visit_id, vehicle_id, CAST(NULL, 'Nullable(DateTime64(6, \'UTC\'))') AS ended_at, source, imported
    FROM technician_activity_order
    UNION ALL
    SELECT
        assumeNotNull(technician_contact_id), created_at, 1, 0, utc_offset_minutes, 'operational', id,
        concat(event_category, ' ', severity), 'subject', visit_id, vehicle_id, resolved_at, source, imported
    FROM operational_event
    WHERE technician_contact_id IS NOT NULL
    UNION ALL
    SELECT
        assumeNotNull(person.2), entered_at, 2, 0, utc_offset_minutes, 'call', id,
        concat(call_type, ' ', call_outcome), person.1, NULL, NULL, over_at, source, imported
    FROM
    (
        SELECT
            id, call_type, call_outcome, utc_offset_minutes, source, imported,
            coalesce(started_at, created_at) AS entered_at,
            if(duration_seconds >= 0, entered_at + toIntervalSecond(toInt64(greatest(ifNull(wait_time_seconds, 0), 0)) + ifNull(duration_seconds, 0)), NULL) AS over_at,
            arrayJoin(arrayFilter(p -> isNotNull(p.2), [('agent', agent_contact_id), ('transferred_to', transferred_to_contact_id)])) AS person
        FROM communication_call_details
        WHERE agent_contact_id IS NOT NULL OR transferred_to_contact_id IS NOT NULL
    )
    WHERE person.2 IN (SELECT technician_contact_id FROM technician_activity_log)
)
COMMENT 'What a technician did and what concerned the technician, of all three families in one order; without free text and positions'

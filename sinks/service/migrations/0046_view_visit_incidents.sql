CREATE OR REPLACE VIEW visit_incidents
(
    incident_id UUID COMMENT 'The operational event that names the visit',
    visit_id UUID COMMENT 'The visit',
    created_at DateTime64(6, 'UTC') COMMENT 'When it happened',
    resolved_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When it was resolved; NULL while it is open',
    resolve_seconds Nullable(Decimal(18, 6)) COMMENT 'resolved_at - created_at; NULL where unresolved or negative',
    severity LowCardinality(String) COMMENT 'info, warning, error, critical',
    event_category LowCardinality(String) COMMENT 'communication, security, operational, system',
    source_system LowCardinality(Nullable(String)) COMMENT 'The system that reported it',
    technician_contact_id Nullable(UUID) COMMENT 'The technician whom the event names',
    visit_technician_contact_ids Array(UUID) COMMENT 'Technicians of the visit; empty where no event of it is known',
    visit_arrived_at Nullable(DateTime64(6, 'UTC')) COMMENT 'First arrival at the visit',
    visit_left_at Nullable(DateTime64(6, 'UTC')) COMMENT 'Last left_site of the visit; NULL while a technician is there',
    timing LowCardinality(String) COMMENT 'before, during or after the visit, by created_at; unknown without an arrival'
)
AS
WITH
    places AS
    (
        SELECT
            visit_id,
            arraySort(groupUniqArray(technician_contact_id)) AS technicians,
            min(arrived_at) AS arrived,
            countIf(arrived_at IS NOT NULL AND left_at IS NULL) AS still_there,
            if(still_there > 0, NULL, max(left_at)) AS left
        FROM visits
        GROUP BY visit_id
    )
SELECT
    i.id AS incident_id,
    i.visit AS visit_id,
    i.created_at AS created_at,
    i.resolved_at AS resolved_at,
    i.resolve_seconds AS resolve_seconds,
    i.severity AS severity,
    i.event_category AS event_category,
    i.source_system AS source_system,
    i.technician_contact_id AS technician_contact_id,
    p.technicians AS visit_technician_contact_ids,
    p.arrived AS visit_arrived_at,
    p.left AS visit_left_at,
    multiIf(p.arrived IS NULL, 'unknown', i.created_at < p.arrived, 'before', ifNull(i.created_at > p.left, false), 'after', 'during') AS timing
FROM (SELECT *, assumeNotNull(visit_id) AS visit FROM incidents WHERE visit_id IS NOT NULL) AS i
LEFT JOIN places AS p ON i.visit = p.visit_id
COMMENT 'Operational events that name a visit, and whether they happened before, during or after it'

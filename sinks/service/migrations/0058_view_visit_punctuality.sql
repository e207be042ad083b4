CREATE OR REPLACE VIEW visit_punctuality
(
    technician_contact_id UUID COMMENT 'The technician',
    visit_id UUID COMMENT 'The visit',
    plan_id UUID COMMENT 'The visit plan that counts',
    job_id Nullable(UUID) COMMENT 'The job that the visit serves',
    priority LowCardinality(Nullable(String)) COMMENT 'Of the plan',
    shift_id Nullable(UUID) COMMENT 'Shift that holds the earliest event of the visit that lies in any shift',
    window_start DateTime64(6, 'UTC') COMMENT 'The earliest arrival promised',
    window_end DateTime64(6, 'UTC') COMMENT 'The latest arrival promised',
    requested_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When the customer asked',
    arrived_at Nullable(DateTime64(6, 'UTC')) COMMENT 'First real arrival',
    attended Bool COMMENT 'The technician was there, with an arrival or by what was done there',
    arrival LowCardinality(String) COMMENT 'early, on_time, late; unscored without a real arrival',
    on_time Nullable(Bool) COMMENT 'First arrival at or before window_end, early ones included; NULL without a real arrival',
    early Nullable(Bool) COMMENT 'First arrival before window_start; NULL without a real arrival',
    late_seconds Nullable(Decimal(18, 6)) COMMENT 'How long after window_end the first arrival was, 0 where it was not; NULL without a real arrival',
    response_seconds Nullable(Decimal(18, 6)) COMMENT 'From requested_at to the first arrival; NULL where one of them is missing, or the arrival was before',
    window_passed Bool COMMENT 'The log''s clock is past window_end',
    finality LowCardinality(String) COMMENT 'Of the visit; provisional where nothing of it is known'
)
AS
SELECT
    p.technician_contact_id AS technician_contact_id,
    p.visit_id AS visit_id,
    p.id AS plan_id,
    p.job_id AS job_id,
    p.priority AS priority,
    v.visit.1 AS shift_id,
    p.window_start AS window_start,
    p.window_end AS window_end,
    p.requested_at AS requested_at,
    v.visit.2 AS arrived_at,
    CAST(v.visit.3 > 0, 'Bool') AS attended,
    CAST(multiIf(arrived_at IS NULL, 'unscored', arrived_at > window_end, 'late', arrived_at < window_start, 'early', 'on_time'), 'LowCardinality(String)') AS arrival,
    CAST(arrived_at <= window_end, 'Nullable(Bool)') AS on_time,
    CAST(arrived_at < window_start, 'Nullable(Bool)') AS early,
    if(arrived_at IS NULL, NULL, CAST(toDecimal128(greatest(ifNull(toUnixTimestamp64Micro(arrived_at), 0) - toUnixTimestamp64Micro(p.window_end), 0), 6) / 1000000, 'Nullable(Decimal(18, 6))')) AS late_seconds,
    if(ifNull(arrived_at >= requested_at, false), CAST(toDecimal128(ifNull(toUnixTimestamp64Micro(arrived_at) - toUnixTimestamp64Micro(requested_at), 0), 6) / 1000000, 'Nullable(Decimal(18, 6))'), NULL) AS response_seconds,
    CAST(ifNull((SELECT at FROM log_clock) > p.window_end, false), 'Bool') AS window_passed,
    CAST(if(v.visit.4 = 'final', 'final', 'provisional'), 'LowCardinality(String)') AS finality
FROM (SELECT * FROM visit_plans WHERE counts) AS p
LEFT JOIN
(
    SELECT
        technician_contact_id,
        visit_id,
        CAST(
            tuple(shift_id, arrived_at, attendances, finality),
            'Tuple(Nullable(UUID), Nullable(DateTime64(6, \'UTC\')), UInt32, String)'
        ) AS visit
    FROM visits
) AS v ON v.technician_contact_id = p.technician_contact_id AND v.visit_id = p.visit_id
COMMENT 'One row per planned visit of a technician: whether the first arrival was in time, and how long the customer waited'

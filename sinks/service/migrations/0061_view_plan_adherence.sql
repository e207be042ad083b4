CREATE OR REPLACE VIEW plan_adherence
(
    technician_contact_id UUID COMMENT 'The technician',
    plan_id UUID COMMENT 'The shift plan',
    planned_start DateTime64(6, 'UTC') COMMENT 'When the shift should start',
    planned_end DateTime64(6, 'UTC') COMMENT 'When the shift should end',
    shifts UInt64 COMMENT 'Shifts whose plan it is',
    scored UInt64 COMMENT 'Of these, with a shift_end',
    first_started_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When the first of them started',
    last_ended_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When the last of them ended; NULL unless each has a shift_end',
    scheduled_seconds Decimal(18, 6) COMMENT 'From the planned start to the planned end',
    inside_seconds Nullable(Decimal(18, 6)) COMMENT 'Time of the shifts inside the plan; NULL unless there is one and each has a shift_end',
    overtime_seconds Nullable(Decimal(18, 6)) COMMENT 'Time of the shifts outside the plan; NULL as inside_seconds',
    adherence Nullable(Float64) COMMENT 'inside / (scheduled + overtime)',
    conformance Nullable(Float64) COMMENT '(inside + overtime) / scheduled',
    plan_passed Bool COMMENT 'The log''s clock is past the planned end',
    finality LowCardinality(String) COMMENT 'final when every one of its shifts is; provisional without any'
)
AS
SELECT
    p.technician_contact_id AS technician_contact_id,
    p.id AS plan_id,
    p.planned_start AS planned_start,
    p.planned_end AS planned_end,
    s.shifts AS shifts,
    s.scored AS scored,
    s.span.1 AS first_started_at,
    s.span.2 AS last_ended_at,
    p.planned_seconds AS scheduled_seconds,
    s.span.3 AS inside_seconds,
    s.span.4 AS overtime_seconds,
    if(p.planned_seconds > 0, toFloat64(s.span.3) / toFloat64(p.planned_seconds + s.span.4), NULL) AS adherence,
    if(p.planned_seconds > 0, toFloat64(s.span.3 + s.span.4) / toFloat64(p.planned_seconds), NULL) AS conformance,
    CAST(ifNull((SELECT at FROM log_clock) > p.planned_end, false), 'Bool') AS plan_passed,
    CAST(if(s.is_final, 'final', 'provisional'), 'LowCardinality(String)') AS finality
FROM shift_plans AS p
LEFT JOIN
(
    SELECT
        technician_contact_id,
        assumeNotNull(a.plan_id) AS plan,
        count() AS shifts,
        countIf(a.ended_at IS NOT NULL) AS scored,
        scored = shifts AS is_whole,
        min(a.finality = 'final') AS is_final,
        CAST(
            tuple(min(a.started_at), if(is_whole, max(a.ended_at), NULL), if(is_whole, sum(a.inside_seconds), NULL), if(is_whole, sum(a.overtime_seconds), NULL)),
            'Tuple(Nullable(DateTime64(6, \'UTC\')), Nullable(DateTime64(6, \'UTC\')), Nullable(Decimal(18, 6)), Nullable(Decimal(18, 6)))'
        ) AS span
    FROM shift_adherence AS a
    WHERE a.plan_id IS NOT NULL
    GROUP BY technician_contact_id, plan
) AS s ON s.technician_contact_id = p.technician_contact_id AND s.plan = p.id
COMMENT 'One row per shift plan that stands: all of its shifts against it; a plan without a shift is there too, unscored'

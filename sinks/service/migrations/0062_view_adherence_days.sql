CREATE OR REPLACE VIEW adherence_days
(
    technician_contact_id UUID COMMENT 'The technician',
    shift_date Date32 COMMENT 'Local date of the first shift_start of the plan',
    plans UInt64 COMMENT 'Plans with a shift that began on the date',
    scored UInt64 COMMENT 'Of these, with every shift ended',
    scheduled_seconds Decimal(18, 6) COMMENT 'Of the scored plans',
    inside_seconds Decimal(18, 6) COMMENT 'Of the scored plans',
    overtime_seconds Decimal(18, 6) COMMENT 'Of the scored plans',
    adherence Nullable(Float64) COMMENT 'inside / (scheduled + overtime), of sums',
    conformance Nullable(Float64) COMMENT '(inside + overtime) / scheduled, of sums',
    scored_share Float64 COMMENT 'scored / plans: how far the figures can be trusted',
    unplanned_shifts UInt64 COMMENT 'Shifts of the date without a plan: no part of the figures'
)
AS
SELECT
    technician_contact_id,
    d.date AS shift_date,
    countIf(is_plan) AS plans,
    countIf(d.inside_seconds IS NOT NULL) AS scored,
    CAST(ifNull(sumIf(d.scheduled_seconds, d.inside_seconds IS NOT NULL), 0), 'Decimal(18, 6)') AS scheduled_seconds,
    CAST(ifNull(sum(d.inside_seconds), 0), 'Decimal(18, 6)') AS inside_seconds,
    CAST(ifNull(sum(d.overtime_seconds), 0), 'Decimal(18, 6)') AS overtime_seconds,
    if(scheduled_seconds > 0, toFloat64(inside_seconds) / toFloat64(scheduled_seconds + overtime_seconds), NULL) AS adherence,
    if(scheduled_seconds > 0, toFloat64(inside_seconds + overtime_seconds) / toFloat64(scheduled_seconds), NULL) AS conformance,
    ifNull(scored / nullIf(plans, 0), 0) AS scored_share,
    countIf(NOT is_plan) AS unplanned_shifts
FROM
(
    SELECT
        technician_contact_id,
        a.plan_id IS NOT NULL AS is_plan,
        if(is_plan, a.plan_id, a.shift_id) AS counted,
        argMin(a.shift_date, a.started_at) AS date,
        countIf(is_plan AND a.ended_at IS NULL OR a.scheduled_seconds <= 0) = 0 AS is_whole,
        any(a.scheduled_seconds) AS scheduled_seconds,
        if(is_whole, sum(a.inside_seconds), NULL) AS inside_seconds,
        if(is_whole, sum(a.overtime_seconds), NULL) AS overtime_seconds
    FROM shift_adherence AS a
    GROUP BY technician_contact_id, is_plan, counted
) AS d
GROUP BY technician_contact_id, shift_date
COMMENT 'Adherence and conformance by technician and local date; add up the seconds and divide, never the ratios'

CREATE OR REPLACE VIEW shift_adherence
(
    technician_contact_id UUID COMMENT 'The technician',
    shift_id UUID COMMENT 'The shift',
    shift_date Date32 COMMENT 'Local date of the shift_start',
    plan_id Nullable(UUID) COMMENT 'The plan of the shift; NULL where none fits',
    plan_shifts UInt32 COMMENT 'Shifts whose plan it is; 0 without a plan',
    started_at DateTime64(6, 'UTC') COMMENT 'When the shift started',
    ended_at Nullable(DateTime64(6, 'UTC')) COMMENT 'The shift_end, where there is one',
    planned_start Nullable(DateTime64(6, 'UTC')) COMMENT 'Of the plan',
    planned_end Nullable(DateTime64(6, 'UTC')) COMMENT 'Of the plan',
    late_start_seconds Nullable(Decimal(18, 6)) COMMENT 'From the planned start to the shift_start; negative where it came before',
    early_end_seconds Nullable(Decimal(18, 6)) COMMENT 'From the shift_end to the planned end; negative where it came after, NULL without a shift_end',
    scheduled_seconds Nullable(Decimal(18, 6)) COMMENT 'From the planned start to the planned end',
    inside_seconds Nullable(Decimal(18, 6)) COMMENT 'Time of the shift inside the plan; NULL without a shift_end',
    inside_seconds_lo Nullable(Decimal(18, 6)) COMMENT 'At least',
    inside_seconds_hi Nullable(Decimal(18, 6)) COMMENT 'At most',
    overtime_seconds Nullable(Decimal(18, 6)) COMMENT 'Time of the shift outside the plan, before and after; NULL without a shift_end',
    overtime_seconds_lo Nullable(Decimal(18, 6)) COMMENT 'At least',
    overtime_seconds_hi Nullable(Decimal(18, 6)) COMMENT 'At most',
    adherence Nullable(Float64) COMMENT 'inside / (scheduled + overtime); NULL without a plan or a shift_end',
    conformance Nullable(Float64) COMMENT '(inside + overtime) / scheduled; NULL without a plan or a shift_end',
    finality LowCardinality(String) COMMENT 'Of the shift'
)
AS
WITH
    timed AS
    (
        SELECT
            technician_contact_id, shift_id, shift_date, started_at, ended_at, finality,
            toUnixTimestamp64Micro(started_at) AS started_us,
            toUnixTimestamp64Micro(ended_at) AS ended_us,
            started_us + toInt64(shift_seconds_lo * 1000000) AS ended_us_min,
            started_us + toInt64(shift_seconds_hi * 1000000) AS ended_us_max
        FROM shifts
    ),
    plans AS
    (
        SELECT
            technician_contact_id, id,
            toUnixTimestamp64Micro(planned_start) AS start_us,
            toUnixTimestamp64Micro(planned_end) AS end_us
        FROM shift_plans
        WHERE start_us - 14400000000 < end_us
    ),
    fitting AS
    (
        -- By day, so that a technician's shifts are not compared with the plans of all their years.
        SELECT
            t.technician_contact_id AS technician_contact_id,
            t.shift_id AS shift_id,
            argMin((p.id, p.start_us, p.end_us), (abs(p.start_us - t.started_us), UUIDToNum(p.id))) AS plan
        FROM (SELECT technician_contact_id, shift_id, started_us, intDiv(started_us, 86400000000) AS day FROM timed) AS t
        INNER JOIN
        (
            SELECT technician_contact_id, id, start_us, end_us, arrayJoin(range(intDiv(start_us - 14400000000, 86400000000), intDiv(least(end_us, (SELECT max(started_us) FROM timed)), 86400000000) + 1)) AS day
            FROM plans
        ) AS p ON p.technician_contact_id = t.technician_contact_id AND p.day = t.day
        WHERE p.start_us - 14400000000 <= t.started_us AND t.started_us < p.end_us
        GROUP BY technician_contact_id, shift_id
    ),
    matched AS
    (
        SELECT
            t.*,
            CAST(
                if(f.is_planned, tuple(f.plan.1, f.plan.2, f.plan.3), tuple(NULL, NULL, NULL)),
                'Tuple(Nullable(UUID), Nullable(Int64), Nullable(Int64))'
            ) AS planned,
            planned.3 - planned.2 AS scheduled_us,
            if(ended_us IS NULL OR planned.1 IS NULL, NULL, greatest(least(ended_us, planned.3) - greatest(started_us, planned.2), 0)) AS inside_us,
            if(ended_us_min IS NULL OR planned.1 IS NULL, NULL, greatest(least(ended_us_min, planned.3) - greatest(started_us, planned.2), 0)) AS inside_us_lo,
            if(ended_us_max IS NULL OR planned.1 IS NULL, NULL, greatest(least(ended_us_max, planned.3) - greatest(started_us, planned.2), 0)) AS inside_us_hi,
            ended_us - started_us - inside_us AS overtime_us,
            ended_us_min - started_us - inside_us_lo AS overtime_us_lo,
            ended_us_max - started_us - inside_us_hi AS overtime_us_hi,
            started_us - planned.2 AS late_start_us,
            planned.3 - ended_us AS early_end_us
        FROM timed AS t
        LEFT JOIN (SELECT *, true AS is_planned FROM fitting) AS f
            ON f.technician_contact_id = t.technician_contact_id AND f.shift_id = t.shift_id
    )
SELECT
    technician_contact_id,
    shift_id,
    shift_date,
    planned.1 AS plan_id,
    toUInt32(if(planned.1 IS NULL, 0, count() OVER (PARTITION BY technician_contact_id, planned.1))) AS plan_shifts,
    started_at,
    ended_at,
    fromUnixTimestamp64Micro(planned.2, 'UTC') AS planned_start,
    fromUnixTimestamp64Micro(planned.3, 'UTC') AS planned_end,
    if(late_start_us IS NULL, NULL, CAST(toDecimal128(ifNull(late_start_us, 0), 6) / 1000000, 'Nullable(Decimal(18, 6))')) AS late_start_seconds,
    if(early_end_us IS NULL, NULL, CAST(toDecimal128(ifNull(early_end_us, 0), 6) / 1000000, 'Nullable(Decimal(18, 6))')) AS early_end_seconds,
    if(scheduled_us IS NULL, NULL, CAST(toDecimal128(ifNull(scheduled_us, 0), 6) / 1000000, 'Nullable(Decimal(18, 6))')) AS scheduled_seconds,
    if(inside_us IS NULL, NULL, CAST(toDecimal128(ifNull(inside_us, 0), 6) / 1000000, 'Nullable(Decimal(18, 6))')) AS inside_seconds,
    if(inside_us_lo IS NULL, NULL, CAST(toDecimal128(ifNull(inside_us_lo, 0), 6) / 1000000, 'Nullable(Decimal(18, 6))')) AS inside_seconds_lo,
    if(inside_us_hi IS NULL, NULL, CAST(toDecimal128(ifNull(inside_us_hi, 0), 6) / 1000000, 'Nullable(Decimal(18, 6))')) AS inside_seconds_hi,
    if(overtime_us IS NULL, NULL, CAST(toDecimal128(ifNull(overtime_us, 0), 6) / 1000000, 'Nullable(Decimal(18, 6))')) AS overtime_seconds,
    if(overtime_us_lo IS NULL, NULL, CAST(toDecimal128(ifNull(overtime_us_lo, 0), 6) / 1000000, 'Nullable(Decimal(18, 6))')) AS overtime_seconds_lo,
    if(overtime_us_hi IS NULL, NULL, CAST(toDecimal128(ifNull(overtime_us_hi, 0), 6) / 1000000, 'Nullable(Decimal(18, 6))')) AS overtime_seconds_hi,
    if(scheduled_us > 0, inside_us / (scheduled_us + overtime_us), NULL) AS adherence,
    if(scheduled_us > 0, (ended_us - started_us) / scheduled_us, NULL) AS conformance,
    CAST(finality, 'LowCardinality(String)') AS finality
FROM matched
COMMENT 'One row per shift: its plan, the time inside and outside of it, adherence and conformance'

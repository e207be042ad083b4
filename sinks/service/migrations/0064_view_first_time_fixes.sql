CREATE OR REPLACE VIEW first_time_fixes
(
    month Date32 COMMENT 'First day of the UTC month in which the first visit began',
    window_days UInt8 COMMENT '7, 14 or 30',
    jobs UInt64 COMMENT 'Jobs whose first visit began in the month',
    scored UInt64 COMMENT 'Of these, known to be fixed or not',
    provisional UInt64 COMMENT 'Of the scored, how many may still change with time',
    fixed UInt64 COMMENT 'Fixed at the first visit',
    first_time_fix_rate Nullable(Float64) COMMENT 'fixed / scored; NULL without scored jobs'
)
AS
SELECT
    addDays(toDate32(assumeNotNull(started_at), 'UTC'), 1 - toDayOfMonth(toDate32(assumeNotNull(started_at), 'UTC'))) AS month,
    f.window.1 AS window_days,
    count() AS jobs,
    countIf(f.window.2 IS NOT NULL) AS scored,
    countIf(f.window.2 IS NOT NULL AND f.window.3 = 'provisional') AS provisional,
    countIf(ifNull(f.window.2, false)) AS fixed,
    countIf(ifNull(f.window.2, false)) / nullIf(countIf(f.window.2 IS NOT NULL), 0) AS first_time_fix_rate
FROM
(
    SELECT
        started_at,
        arrayJoin([
            (toUInt8(7), fixed_first_time_7d, toString(finality_7d)),
            (toUInt8(14), fixed_first_time_14d, toString(finality_14d)),
            (toUInt8(30), fixed_first_time_30d, toString(finality_30d))]) AS window
    FROM job_fixes
    WHERE started_at IS NOT NULL
) AS f
GROUP BY month, window_days
COMMENT 'First-time fix rate by month of the first visit and window'

CREATE OR REPLACE VIEW incident_statistics
(
    grouped_by LowCardinality(String) COMMENT 'What a row is about: all, category, severity, source, or category_severity_source; choose one, since each counts every incident',
    event_category LowCardinality(String) COMMENT 'communication, security, operational, system; empty where it is not grouped by',
    severity LowCardinality(String) COMMENT 'info, warning, error, critical; empty where it is not grouped by',
    source_system LowCardinality(String) COMMENT 'The system that reported them; empty where none was named or it is not grouped by',
    incidents UInt64 COMMENT 'Operational events that stand',
    acknowledged UInt64 COMMENT 'Of these acknowledged',
    acknowledged_share Float64 COMMENT 'Acknowledged, of all',
    acknowledge_seconds_known UInt64 COMMENT 'Times to acknowledge that are not negative',
    acknowledge_seconds_mean Nullable(Float64) COMMENT 'Their mean',
    acknowledge_seconds_median Nullable(Float64) COMMENT 'Their median; of an even number the mean of the two in the middle',
    resolved UInt64 COMMENT 'Incidents that are resolved',
    resolve_seconds_known UInt64 COMMENT 'Times to resolve that are not negative',
    resolve_seconds_mean Nullable(Float64) COMMENT 'Their mean: long cases pull it up',
    resolve_seconds_median Nullable(Float64) COMMENT 'Their median; of an even number the mean of the two in the middle',
    resolve_seconds_p90 Nullable(Float64) COMMENT 'Nine in ten are resolved within this time (interpolated)',
    reopened UInt64 COMMENT 'Incidents that were reopened',
    open UInt64 COMMENT 'Incidents without resolved_at',
    open_seconds_mean Nullable(Float64) COMMENT 'Mean age of the open ones by the clock of the log',
    open_seconds_median Nullable(Float64) COMMENT 'Median age of the open ones',
    open_seconds_max Nullable(Float64) COMMENT 'Age of the oldest open one',
    definition_version UInt16 COMMENT 'Number of the definition whose formulas the view holds'
)
AS
SELECT
    multiIf(level = 0, 'category_severity_source', level = 7, 'all', level = 3, 'category', level = 5, 'severity', 'source') AS grouped_by,
    event_category,
    severity,
    source_system,
    incidents,
    acknowledged,
    acknowledged / incidents AS acknowledged_share,
    acknowledge_seconds_known,
    toFloat64(acknowledge_us) / nullIf(acknowledge_seconds_known, 0) / 1e6 AS acknowledge_seconds_mean,
    acknowledge_median_us / 1e6 AS acknowledge_seconds_median,
    resolved,
    resolve_seconds_known,
    toFloat64(resolve_us) / nullIf(resolve_seconds_known, 0) / 1e6 AS resolve_seconds_mean,
    resolve_median_us / 1e6 AS resolve_seconds_median,
    resolve_p90_us / 1e6 AS resolve_seconds_p90,
    reopened,
    open,
    toFloat64(open_us) / nullIf(open_known, 0) / 1e6 AS open_seconds_mean,
    open_median_us / 1e6 AS open_seconds_median,
    open_max_us / 1e6 AS open_seconds_max,
    toUInt16(1) AS definition_version
FROM
(
    SELECT
        i.event_category AS event_category,
        i.severity AS severity,
        ifNull(i.source_system, '') AS source_system,
        GROUPING(event_category, severity, source_system) AS level,
        count() AS incidents,
        countIf(i.acknowledged_at IS NOT NULL) AS acknowledged,
        count(i.acknowledge_us) AS acknowledge_seconds_known,
        sum(toInt128(ifNull(i.acknowledge_us, 0))) AS acknowledge_us,
        quantileExactInclusiveOrNullIf(0.5)(ifNull(i.acknowledge_us, 0), i.acknowledge_us IS NOT NULL) AS acknowledge_median_us,
        countIf(i.resolved_at IS NOT NULL) AS resolved,
        count(i.resolve_us) AS resolve_seconds_known,
        sum(toInt128(ifNull(i.resolve_us, 0))) AS resolve_us,
        quantileExactInclusiveOrNullIf(0.5)(ifNull(i.resolve_us, 0), i.resolve_us IS NOT NULL) AS resolve_median_us,
        quantileExactInclusiveOrNullIf(0.9)(ifNull(i.resolve_us, 0), i.resolve_us IS NOT NULL) AS resolve_p90_us,
        countIf(i.reopened) AS reopened,
        countIf(i.resolved_at IS NULL) AS open,
        count(i.open_us) AS open_known,
        sum(toInt128(ifNull(i.open_us, 0))) AS open_us,
        quantileExactInclusiveOrNullIf(0.5)(ifNull(i.open_us, 0), i.open_us IS NOT NULL) AS open_median_us,
        maxOrNull(i.open_us) AS open_max_us
    FROM
    (
        SELECT
            event_category, severity, source_system, acknowledged_at, resolved_at, reopened,
            CAST(toDecimal128(acknowledge_seconds, 6) * 1000000, 'Nullable(Int64)') AS acknowledge_us,
            CAST(toDecimal128(resolve_seconds, 6) * 1000000, 'Nullable(Int64)') AS resolve_us,
            CAST(toDecimal128(open_seconds, 6) * 1000000, 'Nullable(Int64)') AS open_us
        FROM incidents
    ) AS i
    GROUP BY GROUPING SETS ((event_category, severity, source_system), (event_category), (severity), (source_system), ())
)
WHERE incidents > 0
COMMENT 'Incidents counted by category, severity and source, with mean and median times to acknowledge and to resolve'

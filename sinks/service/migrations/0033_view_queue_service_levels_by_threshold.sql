CREATE OR REPLACE VIEW queue_service_levels_by_threshold
(
    queue_name String COMMENT 'The queue',
    interval_start DateTime64(6, 'UTC') COMMENT 'Quarter of an hour (UTC) of the queue entry',
    threshold_seconds UInt16 COMMENT 'T: 15, 20, 25, 30, 45, 60, 90, 120, 180, 240, 300 or 600',
    offered UInt64 COMMENT 'Calls that came to the queue; the same for every T',
    answered UInt64 COMMENT 'Of these answered; the same for every T',
    abandoned UInt64 COMMENT 'Of these abandoned; the same for every T',
    answered_within UInt64 COMMENT 'Answered with a known wait of at most T',
    abandoned_within UInt64 COMMENT 'Abandoned with a known wait of at most T',
    abandoned_within_5 UInt64 COMMENT 'Short abandons: abandoned with a known wait of at most 5 s',
    service_level_f1 Nullable(Float64) COMMENT 'Answered or abandoned within T, of answered and abandoned',
    service_level_f2 Nullable(Float64) COMMENT 'Answered within T, of answered',
    service_level_f3 Nullable(Float64) COMMENT 'Answered within T, of answered and abandoned',
    service_level_f4 Nullable(Float64) COMMENT 'The usual one: answered within T, of answered and abandoned less those abandoned within T',
    service_level_f5 Nullable(Float64) COMMENT 'Answered within T or abandoned within 5 s, of answered and abandoned',
    definition_version UInt16 COMMENT 'Number of the definition whose formulas the view holds'
)
AS
SELECT
    queue_name,
    interval_start,
    toUInt16(threshold.1) AS threshold_seconds,
    offered,
    answered,
    abandoned,
    threshold.2 AS answered_within,
    threshold.3 AS abandoned_within,
    abandoned_within_5,
    (answered_within + abandoned_within) / nullIf(answered + abandoned, 0) AS service_level_f1,
    answered_within / nullIf(answered, 0) AS service_level_f2,
    answered_within / nullIf(answered + abandoned, 0) AS service_level_f3,
    answered_within / nullIf(answered + abandoned - abandoned_within, 0) AS service_level_f4,
    (answered_within + abandoned_within_5) / nullIf(answered + abandoned, 0) AS service_level_f5,
    definition_version
FROM queue_service_levels
ARRAY JOIN
[
    (15, answered_within_15, abandoned_within_15),
    (20, answered_within_20, abandoned_within_20),
    (25, answered_within_25, abandoned_within_25),
    (30, answered_within_30, abandoned_within_30),
    (45, answered_within_45, abandoned_within_45),
    (60, answered_within_60, abandoned_within_60),
    (90, answered_within_90, abandoned_within_90),
    (120, answered_within_120, abandoned_within_120),
    (180, answered_within_180, abandoned_within_180),
    (240, answered_within_240, abandoned_within_240),
    (300, answered_within_300, abandoned_within_300),
    (600, answered_within_600, abandoned_within_600)
] AS threshold
COMMENT 'The five service levels at every threshold, per queue and quarter of an hour; filter on threshold_seconds before adding up'

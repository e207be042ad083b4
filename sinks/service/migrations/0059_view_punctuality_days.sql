CREATE OR REPLACE VIEW punctuality_days
(
    technician_contact_id UUID COMMENT 'The technician',
    window_date Date32 COMMENT 'UTC date of window_start',
    planned_visits UInt64 COMMENT 'Visits whose plan counts',
    scored UInt64 COMMENT 'Of these, with a real arrival',
    unscored UInt64 COMMENT 'Without one',
    missed UInt64 COMMENT 'Unscored, nobody there, and the log''s clock is past window_end',
    early UInt64 COMMENT 'First arrival before window_start',
    on_time UInt64 COMMENT 'First arrival from window_start to window_end',
    late UInt64 COMMENT 'First arrival after window_end',
    on_time_rate Nullable(Float64) COMMENT '(early + on_time) / scored; NULL without scored visits',
    scored_share Float64 COMMENT 'scored / planned_visits: how far the rate can be trusted',
    responses UInt64 COMMENT 'Visits with a response time',
    response_seconds Decimal(18, 6) COMMENT 'Sum of the response times',
    mean_response_seconds Nullable(Float64) COMMENT 'response_seconds / responses',
    median_response_seconds Nullable(Float64) COMMENT 'Half of the customers waited no longer'
)
AS
SELECT
    technician_contact_id,
    toDate32(window_start, 'UTC') AS window_date,
    count() AS planned_visits,
    countIf(p.arrival != 'unscored') AS scored,
    countIf(p.arrival = 'unscored') AS unscored,
    countIf(p.arrival = 'unscored' AND NOT attended AND window_passed) AS missed,
    countIf(p.arrival = 'early') AS early,
    countIf(p.arrival = 'on_time') AS on_time,
    countIf(p.arrival = 'late') AS late,
    countIf(p.arrival IN ('early', 'on_time')) / nullIf(countIf(p.arrival != 'unscored'), 0) AS on_time_rate,
    countIf(p.arrival != 'unscored') / count() AS scored_share,
    countIf(p.response_seconds IS NOT NULL) AS responses,
    CAST(ifNull(sum(p.response_seconds), 0), 'Decimal(18, 6)') AS response_seconds,
    toFloat64(sum(p.response_seconds)) / nullIf(countIf(p.response_seconds IS NOT NULL), 0) AS mean_response_seconds,
    quantileExactInclusiveOrNull(0.5)(toFloat64(p.response_seconds)) AS median_response_seconds
FROM visit_punctuality AS p
GROUP BY technician_contact_id, window_date
COMMENT 'On-time arrival and response time by technician and UTC date of the window; add up the counts and divide, never the rates'

CREATE OR REPLACE VIEW queue_sentiment
(
    queue_name String COMMENT 'The queue',
    call_date Date32 COMMENT 'Day (UTC) of the queue entry',
    sentiment_scale String COMMENT 'The scale that the calls declare in metadata.sentiment_scale; scores of two scales are never mixed',
    sentiment_basis LowCardinality(String) COMMENT 'text, voice or other text, as sent; empty where the source does not say',
    is_from_voice Bool COMMENT 'Inferred from voices: emotion recognition, which may be restricted or prohibited at work',
    scored UInt64 COMMENT 'Calls with a score on this scale',
    mean_sentiment_score Float64 COMMENT 'Their mean',
    median_sentiment_score Float64 COMMENT 'Their median',
    lowest_sentiment_score Float64 COMMENT 'The lowest of them',
    highest_sentiment_score Float64 COMMENT 'The highest of them'
)
AS
SELECT
    queue_name,
    call_date,
    sentiment_scale,
    sentiment_basis,
    CAST(sentiment_basis = 'voice', 'Bool') AS is_from_voice,
    toUInt64(length(scores)) AS scored,
    -- Added up in order of size, so that the same calls give the same digits.
    arraySum(scores) / length(scores) AS mean_sentiment_score,
    (scores[intDiv(length(scores) + 1, 2)] + scores[intDiv(length(scores), 2) + 1]) / 2 AS median_sentiment_score,
    scores[1] AS lowest_sentiment_score,
    scores[-1] AS highest_sentiment_score
FROM
(
    SELECT
        c.subject AS queue_name,
        toDate32(coalesce(c.started_at, c.created_at)) AS call_date,
        JSONExtractString(ifNull(c.metadata, ''), 'sentiment_scale') AS sentiment_scale,
        ifNull(c.sentiment_basis, '') AS sentiment_basis,
        arraySort(groupArray(assumeNotNull(c.sentiment_score))) AS scores
    FROM communication_call_details AS c
    WHERE ifNull(c.queue_name, '') != '' AND c.sentiment_score IS NOT NULL AND sentiment_scale != ''
    GROUP BY queue_name, call_date, sentiment_scale, sentiment_basis
)
COMMENT 'Sentiment per queue and day (UTC), only where its scale is declared, never per person'

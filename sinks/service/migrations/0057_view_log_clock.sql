CREATE OR REPLACE VIEW log_clock
(
    at DateTime64(6, 'UTC') COMMENT 'The latest time that the tables know of'
)
AS
SELECT max(stored.latest) AS at
FROM
(
    SELECT max(received_at) AS latest FROM technician_activity_log
    UNION ALL
    SELECT max(received_at) AS latest FROM technician_facts_log
    UNION ALL
    SELECT max(as_of) AS latest FROM shift_results
    UNION ALL
    SELECT max(as_of) AS latest FROM episode_results
) AS stored
WHERE stored.latest != toDateTime64(0, 6, 'UTC')
HAVING count() > 0
COMMENT 'The clock of the log as far as it is stored: the latest append time of a technician''s record, or clock of a result; no row while there is none'

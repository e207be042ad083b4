CREATE OR REPLACE VIEW technician_travels
(
    technician_contact_id UUID COMMENT 'The technician',
    from_at DateTime64(6, 'UTC') COMMENT 'From here the technician is under way',
    to_at DateTime64(6, 'UTC') COMMENT 'Up to here, not included',
    travel_started_at DateTime64(6, 'UTC') COMMENT 'The first travel_start of the travel; earlier than from_at after a break or another event on the way',
    visit_id Nullable(UUID) COMMENT 'The visit travelled to, where one is named',
    quality Enum8('observed' = 0, 'imputed' = 1, 'open' = 2) COMMENT 'How the travel ends: observed by a travel_end or the arrival, imputed by work without arrival, open by anything else or nothing'
)
AS
WITH
    steps AS
    (
        SELECT
            technician_contact_id,
            place,
            created_at,
            activity_type,
            visit_id,
            anyLastIf(tuple(visit_id), activity_type = 'travel_start') OVER before AS bound_for,
            anyLastIf(activity_type = 'break_start', activity_type != 'travel_end') OVER before AS is_on_break
        FROM technician_activity_order
        WHERE activity_type IN
            ('travel_start', 'travel_end', 'arrived_on_site', 'work_started', 'work_resumed', 'work_completed', 'left_site', 'break_start', 'break_end',
                'emergency_stop', 'shift_start', 'shift_end')
        WINDOW before AS (PARTITION BY technician_contact_id ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ),
    judged AS
    (
        SELECT
            *,
            activity_type IN ('travel_start', 'travel_end', 'arrived_on_site', 'work_started', 'work_resumed', 'emergency_stop', 'shift_end')
                OR (activity_type = 'left_site' AND (is_on_break OR ifNull(visit_id = bound_for.1, false)))
                OR (activity_type = 'work_completed' AND is_on_break) AS decides
        FROM steps
    ),
    decided AS
    (
        -- A travel_start that is repeated on the way goes on with the same travel, and keeps it alive.
        SELECT
            *,
            anyLastIf((activity_type, ifNull(toString(visit_id), ''), created_at), decides) OVER before AS last_decision,
            activity_type = 'travel_start' AND last_decision.1 = 'travel_start' AND last_decision.2 = ifNull(toString(visit_id), '')
                AND created_at <= last_decision.3 + INTERVAL 24 HOUR AS is_repeated
        FROM judged
        WINDOW before AS (PARTITION BY technician_contact_id ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ),
    states AS
    (
        SELECT
            technician_contact_id,
            created_at AS from_at,
            anyLastIf((activity_type, created_at, visit_id), decides AND NOT is_repeated) OVER so_far AS last,
            anyLastIf(created_at, decides) OVER so_far + INTERVAL 24 HOUR AS lasts_to,
            anyLastIf(activity_type = 'break_start', activity_type != 'travel_end') OVER so_far AS is_break,
            anyLastIf((activity_type, visit_id), decides AND NOT is_repeated) OVER from_behind AS next,
            leadInFrame(toNullable(created_at)) OVER whole AS next_at
        FROM decided
        WINDOW
            so_far AS (PARTITION BY technician_contact_id ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
            whole AS (PARTITION BY technician_contact_id ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING),
            from_behind AS (PARTITION BY technician_contact_id ORDER BY place DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    )
SELECT
    technician_contact_id,
    from_at,
    least(ifNull(next_at, lasts_to), lasts_to) AS to_at,
    last.2 AS travel_started_at,
    last.3 AS visit_id,
    CAST(
        multiIf(
            next.1 = 'travel_end' OR (next.1 = 'arrived_on_site' AND (last.3 IS NULL OR ifNull(next.2 = last.3, false))), 'observed',
            next.1 IN ('work_started', 'work_resumed'), 'imputed',
            'open'),
        'Enum8(\'observed\' = 0, \'imputed\' = 1, \'open\' = 2)') AS quality
FROM states
WHERE last.1 = 'travel_start' AND NOT is_break AND from_at < to_at
COMMENT 'When technicians are under way: from a travel_start, breaks left out, to what ends the travel, at most 24 h after its last travel_start; never overlapping'

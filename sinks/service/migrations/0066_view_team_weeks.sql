CREATE OR REPLACE VIEW team_weeks
(
    team String COMMENT 'The team, as contacts name it now',
    week_start Date32 COMMENT 'Monday of the ISO week',
    iso_year UInt16 COMMENT 'Year of the ISO week: that of its Thursday',
    iso_week UInt8 COMMENT 'Number of the ISO week, 1 to 53',
    technicians UInt64 COMMENT 'Technicians of the team with a shift in the week: at least 5, else there is no row',
    shifts UInt64 COMMENT 'Shifts that touch the week',
    jobs UInt64 COMMENT 'Distinct visits with a work_completed in the week',
    shift_seconds_observed Decimal(18, 6) COMMENT 'Length of the shift: the sum of what was observed',
    shift_seconds_coverage Float64 COMMENT 'Length of the shift: how much of it was observed',
    travel_net_seconds_observed Decimal(18, 6) COMMENT 'Travel net of breaks, stops, emergencies and site time: the sum of what was observed',
    travel_net_seconds_coverage Float64 COMMENT 'Travel net of breaks, stops, emergencies and site time: how much of it was observed',
    work_seconds_observed Decimal(18, 6) COMMENT 'Work, net of breaks and emergencies: the sum of what was observed',
    work_seconds_coverage Float64 COMMENT 'Work, net of breaks and emergencies: how much of it was observed',
    pause_seconds_observed Decimal(18, 6) COMMENT 'Work paused: the sum of what was observed',
    pause_seconds_coverage Float64 COMMENT 'Work paused: how much of it was observed',
    break_seconds_observed Decimal(18, 6) COMMENT 'Breaks: the sum of what was observed',
    break_seconds_coverage Float64 COMMENT 'Breaks: how much of it was observed',
    site_wait_seconds_observed Decimal(18, 6) COMMENT 'From arrival to the start of work: the sum of what was observed',
    site_wait_seconds_coverage Float64 COMMENT 'From arrival to the start of work: how much of it was observed',
    site_wrap_seconds_observed Decimal(18, 6) COMMENT 'From completion to leaving: the sum of what was observed',
    site_wrap_seconds_coverage Float64 COMMENT 'From completion to leaving: how much of it was observed',
    emergency_seconds_observed Decimal(18, 6) COMMENT 'Emergencies: the sum of what was observed',
    emergency_seconds_coverage Float64 COMMENT 'Emergencies: how much of it was observed',
    stop_seconds_observed Decimal(18, 6) COMMENT 'Fuel and inspection stops with a known duration: the sum of what was observed',
    stop_seconds_coverage Float64 COMMENT 'Fuel and inspection stops with a known duration: how much of it was observed',
    idle_seconds_observed Decimal(18, 6) COMMENT 'What is left of the shift: the sum of what was observed',
    idle_seconds_coverage Float64 COMMENT 'What is left of the shift: how much of it was observed',
    utilisation Nullable(Float64) COMMENT '(work + net travel) / (shift - breaks), of sums over the parts where all four were observed',
    work_share Nullable(Float64) COMMENT 'Work / (shift - breaks), likewise',
    utilisation_coverage Float64 COMMENT 'How many of the parts that is',
    scheduled_seconds Decimal(18, 6) COMMENT 'Of the plans that adherence_days scores',
    inside_seconds Decimal(18, 6) COMMENT 'Of the same',
    overtime_seconds Decimal(18, 6) COMMENT 'Of the same',
    adherence Nullable(Float64) COMMENT 'inside / (scheduled + overtime), of sums',
    conformance Nullable(Float64) COMMENT '(inside + overtime) / scheduled, of sums',
    planned_visits UInt64 COMMENT 'Visits with a plan whose window begins in the week (UTC)',
    scored_visits UInt64 COMMENT 'Of these, with a real arrival',
    on_time_rate Nullable(Float64) COMMENT 'First arrivals at or before window_end / scored_visits'
)
AS
WITH
    members AS (SELECT id, assumeNotNull(team) AS team FROM contacts WHERE contact_kind = 'technician' AND team != '')
SELECT
    t.team AS team,
    t.week_start AS week_start,
    toUInt16(toISOYear(t.week_start)) AS iso_year,
    toUInt8(toISOWeek(t.week_start)) AS iso_week,
    t.technicians AS technicians,
    t.shifts AS shifts,
    t.jobs AS jobs,
    t.shift_seconds_observed_ AS shift_seconds_observed,
    t.shift_seconds_coverage_ AS shift_seconds_coverage,
    t.travel_net_seconds_observed_ AS travel_net_seconds_observed,
    t.travel_net_seconds_coverage_ AS travel_net_seconds_coverage,
    t.work_seconds_observed_ AS work_seconds_observed,
    t.work_seconds_coverage_ AS work_seconds_coverage,
    t.pause_seconds_observed_ AS pause_seconds_observed,
    t.pause_seconds_coverage_ AS pause_seconds_coverage,
    t.break_seconds_observed_ AS break_seconds_observed,
    t.break_seconds_coverage_ AS break_seconds_coverage,
    t.site_wait_seconds_observed_ AS site_wait_seconds_observed,
    t.site_wait_seconds_coverage_ AS site_wait_seconds_coverage,
    t.site_wrap_seconds_observed_ AS site_wrap_seconds_observed,
    t.site_wrap_seconds_coverage_ AS site_wrap_seconds_coverage,
    t.emergency_seconds_observed_ AS emergency_seconds_observed,
    t.emergency_seconds_coverage_ AS emergency_seconds_coverage,
    t.stop_seconds_observed_ AS stop_seconds_observed,
    t.stop_seconds_coverage_ AS stop_seconds_coverage,
    t.idle_seconds_observed_ AS idle_seconds_observed,
    t.idle_seconds_coverage_ AS idle_seconds_coverage,
    toFloat64(t.used) / nullIf(toFloat64(t.available), 0) AS utilisation,
    toFloat64(t.worked) / nullIf(toFloat64(t.available), 0) AS work_share,
    t.complete AS utilisation_coverage,
    a.scheduled AS scheduled_seconds,
    a.inside AS inside_seconds,
    a.overtime AS overtime_seconds,
    if(a.scheduled > 0, toFloat64(a.inside) / toFloat64(a.scheduled + a.overtime), NULL) AS adherence,
    if(a.scheduled > 0, toFloat64(a.inside + a.overtime) / toFloat64(a.scheduled), NULL) AS conformance,
    p.planned AS planned_visits,
    p.scored AS scored_visits,
    p.punctual / nullIf(p.scored, 0) AS on_time_rate
FROM
(
    SELECT
        m.team AS team,
        addDays(day.local_date, 1 - toDayOfWeek(day.local_date)) AS week_start,
        uniqExact(r.technician_contact_id) AS technicians,
        uniqExact(r.technician_contact_id, r.shift_id) AS shifts,
        length(groupUniqArrayArray(day.completed_visits)) AS jobs,
        sumIf(day.shift_seconds_lo, day.shift_seconds_quality = 'observed') AS shift_seconds_observed_,
        countIf(day.shift_seconds_quality = 'observed') / count() AS shift_seconds_coverage_,
        sumIf(day.travel_net_seconds_lo, day.travel_net_seconds_quality = 'observed') AS travel_net_seconds_observed_,
        countIf(day.travel_net_seconds_quality = 'observed') / count() AS travel_net_seconds_coverage_,
        sumIf(day.work_seconds_lo, day.work_seconds_quality = 'observed') AS work_seconds_observed_,
        countIf(day.work_seconds_quality = 'observed') / count() AS work_seconds_coverage_,
        sumIf(day.pause_seconds_lo, day.pause_seconds_quality = 'observed') AS pause_seconds_observed_,
        countIf(day.pause_seconds_quality = 'observed') / count() AS pause_seconds_coverage_,
        sumIf(day.break_seconds_lo, day.break_seconds_quality = 'observed') AS break_seconds_observed_,
        countIf(day.break_seconds_quality = 'observed') / count() AS break_seconds_coverage_,
        sumIf(day.site_wait_seconds_lo, day.site_wait_seconds_quality = 'observed') AS site_wait_seconds_observed_,
        countIf(day.site_wait_seconds_quality = 'observed') / count() AS site_wait_seconds_coverage_,
        sumIf(day.site_wrap_seconds_lo, day.site_wrap_seconds_quality = 'observed') AS site_wrap_seconds_observed_,
        countIf(day.site_wrap_seconds_quality = 'observed') / count() AS site_wrap_seconds_coverage_,
        sumIf(day.emergency_seconds_lo, day.emergency_seconds_quality = 'observed') AS emergency_seconds_observed_,
        countIf(day.emergency_seconds_quality = 'observed') / count() AS emergency_seconds_coverage_,
        sumIf(day.stop_seconds_lo, day.stop_seconds_quality = 'observed') AS stop_seconds_observed_,
        countIf(day.stop_seconds_quality = 'observed') / count() AS stop_seconds_coverage_,
        sumIf(day.idle_seconds_lo, day.idle_seconds_quality = 'observed') AS idle_seconds_observed_,
        countIf(day.idle_seconds_quality = 'observed') / count() AS idle_seconds_coverage_,
        sumIf(day.shift_seconds_lo - day.break_seconds_lo, day.shift_seconds_quality = 'observed' AND day.break_seconds_quality = 'observed' AND day.work_seconds_quality = 'observed' AND day.travel_net_seconds_quality = 'observed') AS available,
        sumIf(day.work_seconds_lo + day.travel_net_seconds_lo, day.shift_seconds_quality = 'observed' AND day.break_seconds_quality = 'observed' AND day.work_seconds_quality = 'observed' AND day.travel_net_seconds_quality = 'observed') AS used,
        sumIf(day.work_seconds_lo, day.shift_seconds_quality = 'observed' AND day.break_seconds_quality = 'observed' AND day.work_seconds_quality = 'observed' AND day.travel_net_seconds_quality = 'observed') AS worked,
        countIf(day.shift_seconds_quality = 'observed' AND day.break_seconds_quality = 'observed' AND day.work_seconds_quality = 'observed' AND day.travel_net_seconds_quality = 'observed') / count() AS complete
    FROM
    (
        SELECT technician_contact_id, shift_id, arrayJoin(days) AS day
        FROM shift_results FINAL
        WHERE NOT is_deleted
    ) AS r
    INNER JOIN members AS m ON m.id = r.technician_contact_id
    GROUP BY team, week_start
    HAVING technicians >= 5
) AS t
LEFT JOIN
(
    SELECT
        m.team AS team,
        addDays(d.shift_date, 1 - toDayOfWeek(d.shift_date)) AS week_start,
        CAST(sum(d.scheduled_seconds), 'Decimal(18, 6)') AS scheduled,
        CAST(sum(d.inside_seconds), 'Decimal(18, 6)') AS inside,
        CAST(sum(d.overtime_seconds), 'Decimal(18, 6)') AS overtime
    FROM adherence_days AS d
    INNER JOIN members AS m ON m.id = d.technician_contact_id
    GROUP BY team, week_start
) AS a ON a.team = t.team AND a.week_start = t.week_start
LEFT JOIN
(
    SELECT
        m.team AS team,
        addDays(d.window_date, 1 - toDayOfWeek(d.window_date)) AS week_start,
        sum(d.planned_visits) AS planned,
        sum(d.scored) AS scored,
        sum(d.early + d.on_time) AS punctual
    FROM punctuality_days AS d
    INNER JOIN members AS m ON m.id = d.technician_contact_id
    GROUP BY team, week_start
) AS p ON p.team = t.team AND p.week_start = t.week_start
COMMENT 'One row per team and ISO week with at least 5 technicians, so that no figure is one person''s; teams as contacts name them now'

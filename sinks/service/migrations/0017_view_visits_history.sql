CREATE OR REPLACE VIEW visits_history
(
    published_at DateTime64(6, 'UTC') COMMENT 'When the revision was published, in log time',
    withdrawn Bool COMMENT 'With this revision the visit was no longer derived; its other columns are empty',
    technician_contact_id UUID COMMENT 'The technician',
    visit_id UUID COMMENT 'The visit',
    shift_id Nullable(UUID) COMMENT 'Shift that holds the earliest event of the visit that lies in any shift',
    attendances UInt32 COMMENT 'Episodes with an arrival, real or imputed',
    travel_started_at Nullable(DateTime64(6, 'UTC')) COMMENT 'First travel_start',
    arrived_at Nullable(DateTime64(6, 'UTC')) COMMENT 'First real arrival',
    left_at Nullable(DateTime64(6, 'UTC')) COMMENT 'The left_site that ended the last attendance; NULL while that is open',
    completed_at Nullable(DateTime64(6, 'UTC')) COMMENT 'First work_completed',
    travel_seconds Nullable(Decimal(18, 6)) COMMENT 'Travel, gross; NULL unless observed',
    travel_seconds_lo Decimal(18, 6) COMMENT 'Travel, gross: at least',
    travel_seconds_hi Nullable(Decimal(18, 6)) COMMENT 'Travel, gross: at most; NULL where nothing bounds it',
    travel_seconds_quality Enum8('observed' = 0, 'imputed' = 1, 'open' = 2) COMMENT 'Travel, gross: observed, imputed or open',
    on_site_seconds Nullable(Decimal(18, 6)) COMMENT 'From arrival to leaving, gross; NULL unless observed',
    on_site_seconds_lo Decimal(18, 6) COMMENT 'From arrival to leaving, gross: at least',
    on_site_seconds_hi Nullable(Decimal(18, 6)) COMMENT 'From arrival to leaving, gross: at most; NULL where nothing bounds it',
    on_site_seconds_quality Enum8('observed' = 0, 'imputed' = 1, 'open' = 2) COMMENT 'From arrival to leaving, gross: observed, imputed or open',
    site_wait_seconds Nullable(Decimal(18, 6)) COMMENT 'From arrival to the start of work; NULL unless observed',
    site_wait_seconds_lo Decimal(18, 6) COMMENT 'From arrival to the start of work: at least',
    site_wait_seconds_hi Nullable(Decimal(18, 6)) COMMENT 'From arrival to the start of work: at most; NULL where nothing bounds it',
    site_wait_seconds_quality Enum8('observed' = 0, 'imputed' = 1, 'open' = 2) COMMENT 'From arrival to the start of work: observed, imputed or open',
    work_seconds Nullable(Decimal(18, 6)) COMMENT 'Work, net of breaks and emergencies; NULL unless observed',
    work_seconds_lo Decimal(18, 6) COMMENT 'Work, net of breaks and emergencies: at least',
    work_seconds_hi Nullable(Decimal(18, 6)) COMMENT 'Work, net of breaks and emergencies: at most; NULL where nothing bounds it',
    work_seconds_quality Enum8('observed' = 0, 'imputed' = 1, 'open' = 2) COMMENT 'Work, net of breaks and emergencies: observed, imputed or open',
    pause_seconds Nullable(Decimal(18, 6)) COMMENT 'Work paused; NULL unless observed',
    pause_seconds_lo Decimal(18, 6) COMMENT 'Work paused: at least',
    pause_seconds_hi Nullable(Decimal(18, 6)) COMMENT 'Work paused: at most; NULL where nothing bounds it',
    pause_seconds_quality Enum8('observed' = 0, 'imputed' = 1, 'open' = 2) COMMENT 'Work paused: observed, imputed or open',
    wrap_seconds Nullable(Decimal(18, 6)) COMMENT 'From completion to leaving; NULL unless observed',
    wrap_seconds_lo Decimal(18, 6) COMMENT 'From completion to leaving: at least',
    wrap_seconds_hi Nullable(Decimal(18, 6)) COMMENT 'From completion to leaving: at most; NULL where nothing bounds it',
    wrap_seconds_quality Enum8('observed' = 0, 'imputed' = 1, 'open' = 2) COMMENT 'From completion to leaving: observed, imputed or open',
    completed Bool COMMENT 'A work_completed stands',
    anomalies Array(LowCardinality(String)) COMMENT 'Anomaly codes, sorted, distinct',
    finality LowCardinality(String) COMMENT 'final when every episode is',
    definition_version UInt16 COMMENT 'Number of the definition that the row was computed with',
    version UInt64 COMMENT 'Log position through which the row is true: epoch:4 | definition:12 | offset:40 | step:8; the highest stands',
    caused_by Nullable(UUID) COMMENT 'Event whose processing changed the row; NULL for a timer',
    as_of DateTime64(6, 'UTC') COMMENT 'Clock of the log at the version'
)
AS
WITH
    revisions AS
    (
        SELECT technician_contact_id, visit_id, version AS at_version, max(published_at) AS at_published
        FROM episode_results_history FINAL
        GROUP BY technician_contact_id, visit_id, version
    ),
    standing AS
    (
        SELECT *
        FROM (SELECT * EXCEPT (published_at) FROM episode_results_history FINAL) AS h
        INNER JOIN revisions AS v USING (technician_contact_id, visit_id)
        WHERE version <= at_version
        ORDER BY technician_contact_id, visit_id, at_version, first_event_id, version DESC
        LIMIT 1 BY technician_contact_id, visit_id, at_version, first_event_id
    )
SELECT
    published_at_ AS published_at,
    CAST(NOT stands, 'Bool') AS withdrawn,
    technician_contact_id,
    visit_id,
    shift_id_ AS shift_id,
    attendances_ AS attendances,
    travel_started_at_ AS travel_started_at,
    arrived_at_ AS arrived_at,
    left_at_ AS left_at,
    completed_at_ AS completed_at,
    if(travel_seconds_quality_ = 'observed', travel_seconds_lo_, NULL) AS travel_seconds,
    travel_seconds_lo_ AS travel_seconds_lo,
    travel_seconds_hi_ AS travel_seconds_hi,
    travel_seconds_quality_ AS travel_seconds_quality,
    if(on_site_seconds_quality_ = 'observed', on_site_seconds_lo_, NULL) AS on_site_seconds,
    on_site_seconds_lo_ AS on_site_seconds_lo,
    on_site_seconds_hi_ AS on_site_seconds_hi,
    on_site_seconds_quality_ AS on_site_seconds_quality,
    if(site_wait_seconds_quality_ = 'observed', site_wait_seconds_lo_, NULL) AS site_wait_seconds,
    site_wait_seconds_lo_ AS site_wait_seconds_lo,
    site_wait_seconds_hi_ AS site_wait_seconds_hi,
    site_wait_seconds_quality_ AS site_wait_seconds_quality,
    if(work_seconds_quality_ = 'observed', work_seconds_lo_, NULL) AS work_seconds,
    work_seconds_lo_ AS work_seconds_lo,
    work_seconds_hi_ AS work_seconds_hi,
    work_seconds_quality_ AS work_seconds_quality,
    if(pause_seconds_quality_ = 'observed', pause_seconds_lo_, NULL) AS pause_seconds,
    pause_seconds_lo_ AS pause_seconds_lo,
    pause_seconds_hi_ AS pause_seconds_hi,
    pause_seconds_quality_ AS pause_seconds_quality,
    if(wrap_seconds_quality_ = 'observed', wrap_seconds_lo_, NULL) AS wrap_seconds,
    wrap_seconds_lo_ AS wrap_seconds_lo,
    wrap_seconds_hi_ AS wrap_seconds_hi,
    wrap_seconds_quality_ AS wrap_seconds_quality,
    CAST(completed_at_ IS NOT NULL, 'Bool') AS completed,
    if(depends_on_context, arrayPushBack(anomalies_, 'A29'), anomalies_) AS anomalies,
    toString(finality_) AS finality,
    toUInt16(bitAnd(bitShiftRight(version_, 48), 4095)) AS definition_version,
    version_ AS version,
    caused_by_ AS caused_by,
    as_of_ AS as_of
FROM
(
    SELECT
        technician_contact_id,
        visit_id,
        at_version,
        any(at_published) AS published_at_,
        argMinIf(r.shift_id, (r.first_in_shift_at, r.settles_at, r.first_event_at, r.first_event_id), NOT is_deleted AND r.shift_id IS NOT NULL) AS shift_id_,
        toUInt32(countIf(NOT is_deleted AND has_attendance)) AS attendances_,
        minIf(r.travel_started_at, NOT is_deleted) AS travel_started_at_,
        minIf(r.arrived_at, NOT is_deleted) AS arrived_at_,
        argMaxIf(tuple(r.left_at), (r.first_event_at, r.last_event_at, r.left_at IS NULL, r.first_event_id), NOT is_deleted AND has_attendance).1 AS left_at_,
        minIf(r.completed_at, NOT is_deleted) AS completed_at_,
        sumIf(r.travel_seconds_lo, NOT is_deleted AND has_travel) AS travel_seconds_lo_,
        if(countIf(NOT is_deleted AND has_travel) = 0 OR countIf(NOT is_deleted AND has_travel AND r.travel_seconds_hi IS NULL) > 0, NULL, sumIf(r.travel_seconds_hi, NOT is_deleted AND has_travel)) AS travel_seconds_hi_,
        if(countIf(NOT is_deleted AND has_travel) = 0, 'open', toString(maxIf(r.travel_seconds_quality, NOT is_deleted AND has_travel))) AS travel_seconds_quality_,
        sumIf(r.on_site_seconds_lo, NOT is_deleted AND has_attendance) AS on_site_seconds_lo_,
        if(countIf(NOT is_deleted AND has_attendance) = 0 OR countIf(NOT is_deleted AND has_attendance AND r.on_site_seconds_hi IS NULL) > 0, NULL, sumIf(r.on_site_seconds_hi, NOT is_deleted AND has_attendance)) AS on_site_seconds_hi_,
        if(countIf(NOT is_deleted AND has_attendance) = 0, 'open', toString(maxIf(r.on_site_seconds_quality, NOT is_deleted AND has_attendance))) AS on_site_seconds_quality_,
        sumIf(r.site_wait_seconds_lo, NOT is_deleted AND has_attendance) AS site_wait_seconds_lo_,
        if(countIf(NOT is_deleted AND has_attendance) = 0 OR countIf(NOT is_deleted AND has_attendance AND r.site_wait_seconds_hi IS NULL) > 0, NULL, sumIf(r.site_wait_seconds_hi, NOT is_deleted AND has_attendance)) AS site_wait_seconds_hi_,
        if(countIf(NOT is_deleted AND has_attendance) = 0, 'open', toString(maxIf(r.site_wait_seconds_quality, NOT is_deleted AND has_attendance))) AS site_wait_seconds_quality_,
        sumIf(r.work_seconds_lo, NOT is_deleted AND has_attendance) AS work_seconds_lo_,
        if(countIf(NOT is_deleted AND has_attendance) = 0 OR countIf(NOT is_deleted AND has_attendance AND r.work_seconds_hi IS NULL) > 0, NULL, sumIf(r.work_seconds_hi, NOT is_deleted AND has_attendance)) AS work_seconds_hi_,
        if(countIf(NOT is_deleted AND has_attendance) = 0, 'open', toString(maxIf(r.work_seconds_quality, NOT is_deleted AND has_attendance))) AS work_seconds_quality_,
        sumIf(r.pause_seconds_lo, NOT is_deleted AND has_attendance) AS pause_seconds_lo_,
        if(countIf(NOT is_deleted AND has_attendance) = 0 OR countIf(NOT is_deleted AND has_attendance AND r.pause_seconds_hi IS NULL) > 0, NULL, sumIf(r.pause_seconds_hi, NOT is_deleted AND has_attendance)) AS pause_seconds_hi_,
        if(countIf(NOT is_deleted AND has_attendance) = 0, 'open', toString(maxIf(r.pause_seconds_quality, NOT is_deleted AND has_attendance))) AS pause_seconds_quality_,
        sumIf(r.wrap_seconds_lo, NOT is_deleted AND has_attendance) AS wrap_seconds_lo_,
        if(countIf(NOT is_deleted AND has_attendance) = 0 OR countIf(NOT is_deleted AND has_attendance AND r.wrap_seconds_hi IS NULL) > 0, NULL, sumIf(r.wrap_seconds_hi, NOT is_deleted AND has_attendance)) AS wrap_seconds_hi_,
        if(countIf(NOT is_deleted AND has_attendance) = 0, 'open', toString(maxIf(r.wrap_seconds_quality, NOT is_deleted AND has_attendance))) AS wrap_seconds_quality_,
        arraySort(arrayFilter(code -> code != 'A29', groupUniqArrayArrayIf(r.anomalies, NOT is_deleted))) AS anomalies_,
        has(argMinIf(r.anomalies, (r.first_event_at, r.first_event_id), NOT is_deleted), 'A29') AS depends_on_context,
        minIf(r.finality, NOT is_deleted) AS finality_,
        max(r.version) AS version_,
        argMax(tuple(r.caused_by), (r.version, r.first_event_id)).1 AS caused_by_,
        max(r.as_of) AS as_of_,
        countIf(NOT is_deleted AND has_visit_event) > 0 AS stands
    FROM standing AS r
    GROUP BY technician_contact_id, visit_id, at_version
)
-- A visit that never stood has no history: its loose events alone make no visit.
QUALIFY max(stands) OVER (PARTITION BY technician_contact_id, visit_id ORDER BY version_ ROWS UNBOUNDED PRECEDING)
COMMENT 'Every published revision of every visit: at each version its episodes as they stood then, added up; withdrawals included'

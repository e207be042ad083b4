CREATE OR REPLACE VIEW calls
(
    id UUID COMMENT 'Id of the event; with revision and subject its identity',
    communication_message_id Nullable(UUID) COMMENT 'The message that the call extends',
    created_at DateTime64(6, 'UTC') COMMENT 'When it happened',
    started_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When the caller entered the queue, as sent',
    queue_name LowCardinality(Nullable(String)) COMMENT 'The queue, as sent',
    call_type LowCardinality(String) COMMENT 'inbound, outbound, missed, voicemail',
    call_outcome LowCardinality(String) COMMENT 'answered, voicemail_left, no_answer, busy, failed, transferred',
    duration_seconds Nullable(Int32) COMMENT 'Length of the call, as sent',
    wait_time_seconds Nullable(Int32) COMMENT 'Time in the queue, as sent',
    agent_contact_id Nullable(UUID) COMMENT 'Who answered',
    thread_id Nullable(UUID) COMMENT 'Same caller, same thread',
    root_call_id Nullable(UUID) COMMENT 'First record of a transferred call',
    offered Bool COMMENT 'It came to a queue: queue_name is not empty, neither call_type nor direction is outbound',
    answered Bool COMMENT 'Offered, outcome answered or transferred, call_type neither missed nor voicemail',
    abandoned Bool COMMENT 'Offered, not answered, and the caller hung up or call_type is missed',
    interval_start Nullable(DateTime64(6, 'UTC')) COMMENT 'Quarter of an hour (UTC) of the queue entry; NULL where not offered',
    consistency LowCardinality(Nullable(String)) COMMENT 'The worst of its inconsistencies: error, warn, info; NULL where there is none',
    inconsistencies Array(LowCardinality(String)) COMMENT 'Rules of consistency that the record breaks, the worst first',
    entered_at DateTime64(6, 'UTC') COMMENT 'Queue entry: started_at, else created_at',
    known_wait_seconds Nullable(UInt32) COMMENT 'Time in the queue of an offered call; NULL where it is missing or negative',
    talk_seconds Nullable(UInt32) COMMENT 'Length of an answered call; NULL where it is missing or negative',
    transferred Bool COMMENT 'Answered with outcome transferred',
    transferred_to_contact_id Nullable(UUID) COMMENT 'Who took it over',
    call_id UUID COMMENT 'The call that this contact is part of: root_call_id, else id. Count calls by it, contacts by rows',
    is_inbound Bool COMMENT 'Neither call_type nor direction is outbound',
    direction LowCardinality(Nullable(String)) COMMENT 'Of the message',
    channel_type LowCardinality(Nullable(String)) COMMENT 'Of the message',
    caller_hung_up Nullable(Bool) COMMENT 'abandoned, as sent',
    visit_id Nullable(UUID) COMMENT 'The visit that the call is about, where the sender names it: visit_id in metadata or as a key of the event',
    subject String COMMENT 'What the topic is keyed by: queue, else thread, else the call. A filter on it reads only that part of the log',
    source LowCardinality(Nullable(String)) COMMENT 'mobile, desktop, import, device, manual, simulator or other text',
    imported Bool COMMENT 'Set by importers of history',
    revision UInt32 COMMENT 'An amendment is a higher revision of the same id',
    received_at DateTime64(6, 'UTC') COMMENT 'When the log took the record (append time)',
    definition_version UInt16 COMMENT 'Number of the definition whose formulas the view holds'
)
AS
SELECT
    c.id AS id,
    c.communication_message_id AS communication_message_id,
    c.created_at AS created_at,
    c.started_at AS started_at,
    c.queue_name AS queue_name,
    c.call_type AS call_type,
    c.call_outcome AS call_outcome,
    c.duration_seconds AS duration_seconds,
    c.wait_time_seconds AS wait_time_seconds,
    c.agent_contact_id AS agent_contact_id,
    c.thread_id AS thread_id,
    c.root_call_id AS root_call_id,
    CAST(ifNull(c.queue_name, '') != '' AND is_inbound, 'Bool') AS offered,
    CAST(offered AND c.call_outcome IN ('answered', 'transferred') AND c.call_type NOT IN ('missed', 'voicemail'), 'Bool') AS answered,
    CAST(offered AND NOT answered AND (ifNull(c.abandoned, false) OR c.call_type = 'missed'), 'Bool') AS abandoned,
    if(
        offered,
        fromUnixTimestamp64Micro(toUnixTimestamp64Micro(entered_at) - positiveModulo(toUnixTimestamp64Micro(entered_at), 900000000), 'UTC'),
        NULL) AS interval_start,
    CAST(
        multiIf(length(errors) > 0, 'error', length(warnings) > 0, 'warn', length(notices) > 0, 'info', NULL),
        'LowCardinality(Nullable(String))') AS consistency,
    CAST(arrayConcat(errors, warnings, notices), 'Array(LowCardinality(String))') AS inconsistencies,
    coalesce(c.started_at, c.created_at) AS entered_at,
    CAST(if(offered AND c.wait_time_seconds >= 0, c.wait_time_seconds, NULL), 'Nullable(UInt32)') AS known_wait_seconds,
    CAST(if(answered AND c.duration_seconds >= 0, c.duration_seconds, NULL), 'Nullable(UInt32)') AS talk_seconds,
    CAST(answered AND c.call_outcome = 'transferred', 'Bool') AS transferred,
    c.transferred_to_contact_id AS transferred_to_contact_id,
    coalesce(c.root_call_id, c.id) AS call_id,
    CAST(c.call_type != 'outbound' AND ifNull(c.direction, '') != 'outbound', 'Bool') AS is_inbound,
    c.direction AS direction,
    c.channel_type AS channel_type,
    c.abandoned AS caller_hung_up,
    toUUIDOrNull(ifNull(
        nullIf(JSONExtractString(ifNull(c.metadata, ''), 'visit_id'), ''),
        JSONExtractString(ifNull(c.metadata, ''), 'unmapped', 'visit_id'))) AS visit_id,
    c.subject AS subject,
    c.source AS source,
    c.imported AS imported,
    c.revision AS revision,
    c.received_at AS received_at,
    toUInt16(1) AS definition_version
FROM
(
    SELECT
        *,
        arrayFilter(rule -> rule != '',
        [
            if(call_type = 'missed' AND call_outcome IN ('answered', 'transferred'), 'missed_but_answered', ''),
            if(duration_seconds < 0, 'negative_duration', ''),
            if(wait_time_seconds < 0, 'negative_wait', '')
        ]) AS errors,
        arrayFilter(rule -> rule != '',
        [
            if(call_type = 'inbound' AND call_outcome IN ('no_answer', 'busy'), 'inbound_not_answered', ''),
            if(call_type = 'missed' AND call_outcome = 'voicemail_left', 'missed_with_voicemail', ''),
            if(call_type = 'voicemail' AND call_outcome != 'voicemail_left', 'voicemail_not_left', ''),
            if(call_outcome = 'transferred' AND transferred_to_contact_id IS NULL, 'transferred_to_nobody', ''),
            if(call_outcome IN ('no_answer', 'busy', 'failed') AND duration_seconds > 0, 'duration_without_answer', ''),
            if(duration_seconds > 14400, 'longer_than_4_hours', '')
        ]) AS warnings,
        arrayFilter(rule -> rule != '', [if(call_outcome = 'answered' AND duration_seconds = 0, 'answered_for_0_seconds', '')]) AS notices
    FROM communication_call_details
) AS c
COMMENT 'One row per call record that stands (contact), with what it counts as in its queue and whether it is consistent'

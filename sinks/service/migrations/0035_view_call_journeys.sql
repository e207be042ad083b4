CREATE OR REPLACE VIEW call_journeys
(
    call_id UUID COMMENT 'The call: root_call_id of its contacts, else the id of its only one',
    contacts UInt64 COMMENT 'Call records that it is made of: one more with each transfer',
    began_at DateTime64(6, 'UTC') COMMENT 'Queue entry (started_at, else created_at) of the first contact',
    queues Array(LowCardinality(String)) COMMENT 'Queues that it was offered to, in order',
    offered UInt64 COMMENT 'Contacts that came to a queue',
    answered UInt64 COMMENT 'Of these answered',
    abandoned UInt64 COMMENT 'Of these abandoned',
    transfers UInt64 COMMENT 'Of these answered with outcome transferred',
    agents UInt64 COMMENT 'Distinct agents who answered',
    wait_seconds Nullable(UInt64) COMMENT 'Waits in all queues together; NULL where one is not known',
    talk_seconds Nullable(UInt64) COMMENT 'Answered contacts together; NULL where one is not known',
    thread_id Nullable(UUID) COMMENT 'Thread of the first contact that has one',
    is_inbound Bool COMMENT 'The first contact is not outbound'
)
AS
SELECT
    call_id,
    contacts,
    first.1 AS began_at,
    arrayMap(q -> q.3, arraySort(offers)) AS queues,
    offered,
    answered,
    abandoned,
    transfers,
    agents,
    if(waits_unknown > 0, NULL, wait_sum) AS wait_seconds,
    if(talks_unknown > 0, NULL, talk_sum) AS talk_seconds,
    if(thread.1, thread.4, NULL) AS thread_id,
    first.3 AS is_inbound
FROM
(
    SELECT
        c.call_id AS call_id,
        count() AS contacts,
        min((c.entered_at, c.id, c.is_inbound)) AS first,
        groupArrayIf((c.entered_at, c.id, ifNull(c.queue_name, '')), c.offered) AS offers,
        countIf(c.offered) AS offered,
        countIf(c.answered) AS answered,
        countIf(c.abandoned) AS abandoned,
        countIf(c.transferred) AS transfers,
        uniqExactIf(c.agent_contact_id, c.answered) AS agents,
        countIf(c.offered AND c.known_wait_seconds IS NULL) AS waits_unknown,
        sum(ifNull(c.known_wait_seconds, 0)) AS wait_sum,
        countIf(c.answered AND c.talk_seconds IS NULL) AS talks_unknown,
        sum(ifNull(c.talk_seconds, 0)) AS talk_sum,
        minIf((true, c.entered_at, c.id, assumeNotNull(c.thread_id)), c.thread_id IS NOT NULL) AS thread
    FROM calls AS c
    GROUP BY c.call_id
)
COMMENT 'One row per call, its contacts added up: a transferred call is one row here and several in calls'

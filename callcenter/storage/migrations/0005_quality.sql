-- What first contact resolution is read from: when and where a call first entered a queue, and whether its
-- agent and its customer say that it was resolved. Projections of queue.entered, acw.ended, survey.answered.
ALTER TABLE callcenter.call
    ADD COLUMN topic             text,                  -- the first queue entered
    ADD COLUMN queued_at         timestamptz,           -- when
    ADD COLUMN agent_resolved    boolean,
    ADD COLUMN customer_resolved boolean;
UPDATE callcenter.call SET topic = first.queue, queued_at = first.at
  FROM (SELECT DISTINCT ON (call_id) call_id, queue, at
          FROM callcenter.event WHERE type = 'queue.entered' ORDER BY call_id, seq) AS first
 WHERE call.call_id = first.call_id;
-- Finds all calls of a customer; holds all that first contact resolution asks for, so it alone is read.
CREATE INDEX call_customer ON callcenter.call (from_number, topic, queued_at)
    INCLUDE (connected_at, agent_id, agent_resolved, customer_resolved)
    WHERE direction = 'inbound' AND queued_at IS NOT NULL;
CREATE INDEX call_queued_at ON callcenter.call (queued_at) WHERE direction = 'inbound';

CREATE INDEX event_survey ON callcenter.event (at) WHERE type IN ('survey.offered', 'survey.answered');

-- One row per conversation whose words are known, made from its words and events and made again when they
-- change. at is when the contact entered its queue, by which it is counted. Times are ms without holds.
CREATE TABLE callcenter.talk (
    call_id                uuid NOT NULL,
    number                 integer NOT NULL,            -- counts the call's conversations, from 1
    queue                  text,
    agent_id               text,
    at                     timestamptz NOT NULL,
    time_ms                integer NOT NULL,
    non_talk_ms            integer NOT NULL,
    longest_non_talk_ms    integer NOT NULL,
    agent_talk_ms          integer NOT NULL,
    agent_interruptions    integer NOT NULL,
    agent_words            integer NOT NULL,
    agent_words_ms         integer NOT NULL,
    agent_characters       integer NOT NULL,
    agent_characters_ms    integer NOT NULL,
    customer_talk_ms       integer NOT NULL,
    customer_interruptions integer NOT NULL,
    customer_words         integer NOT NULL,
    customer_words_ms      integer NOT NULL,
    customer_characters    integer NOT NULL,
    customer_characters_ms integer NOT NULL,
    PRIMARY KEY (call_id, number)
);
CREATE INDEX talk_at ON callcenter.talk (at);

-- Calls whose words changed since they were measured. Who measures takes a row for a while by moving due_at and
-- removes it when version is still the one seen: words that came meanwhile leave it there.
CREATE TABLE callcenter.talk_due (
    call_id uuid PRIMARY KEY,
    due_at  timestamptz NOT NULL,
    version bigint NOT NULL DEFAULT 0
);
CREATE INDEX talk_due_at ON callcenter.talk_due (due_at);

-- Whoever writes words, the call is measured (again) once it has ended and its words have come to rest.
CREATE FUNCTION callcenter.words_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO callcenter.talk_due AS due (call_id, due_at)
    SELECT call_id, clock_timestamp() + interval '2 seconds' FROM changed GROUP BY call_id ORDER BY call_id
    ON CONFLICT (call_id) DO UPDATE SET due_at = excluded.due_at, version = due.version + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER words_added AFTER INSERT ON callcenter.transcript_segment
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION callcenter.words_changed();
CREATE TRIGGER words_updated AFTER UPDATE ON callcenter.transcript_segment
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION callcenter.words_changed();
CREATE TRIGGER words_removed AFTER DELETE ON callcenter.transcript_segment
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION callcenter.words_changed();
INSERT INTO callcenter.talk_due (call_id, due_at)
SELECT DISTINCT call_id, now() FROM callcenter.transcript_segment;

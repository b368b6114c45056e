-- What reports are made of: each ended call and its contacts as the fold of its events sees them, and days of
-- the reporting zone added up. All of it can be made again from the events at any time.

-- What is out of date. A mark commits with the events it is for; whoever brings the projection up to date
-- takes the marks away that it saw. So nothing is missed however transactions cross, and nothing needs a lock.
CREATE TABLE callcenter.report_mark (
    call_id uuid,                           -- the call is to be folded again, or
    at      timestamptz,                    -- days that end after this moment are to be added up again
    CHECK ((call_id IS NULL) <> (at IS NULL))
) WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0, autovacuum_analyze_threshold = 5000);

-- Every event of a call marks it, but for the types no figure is made of. An agent's change of state marks
-- only if it comes late: days are not added up before they have been over for longer than that.
CREATE FUNCTION callcenter.mark_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO callcenter.report_mark (call_id)
    SELECT DISTINCT call_id FROM stored
     WHERE call_id IS NOT NULL
       AND type NOT IN ('ivr.input', 'ivr.no_input', 'ivr.no_match', 'ivr.lookup', 'transcript.segment',
                        'transcript.missing', 'media.gap', 'recording.ended', 'recording.failed');
    INSERT INTO callcenter.report_mark (at)
    SELECT min(at) FROM stored WHERE type = 'agent.state' AND at < now() - interval '1 hour'
    HAVING min(at) IS NOT NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER mark_events AFTER INSERT ON callcenter.event REFERENCING NEW TABLE AS stored
    FOR EACH STATEMENT EXECUTE FUNCTION callcenter.mark_events();

-- One row per ended call. Nothing here depends on a threshold.
CREATE TABLE callcenter.report_call (
    call_id    uuid PRIMARY KEY,
    started_at timestamptz NOT NULL,
    settled    boolean NOT NULL,            -- false: its wrap-up still runs, so reports read its events
    queues     text[] NOT NULL,             -- all it entered
    outcome    text NOT NULL,               -- 'abandoned' for short ones, too
    waited_us  bigint NOT NULL,             -- in all queues together
    bridged_us bigint,                      -- handle time of all contacts; null: reached no agent
    ivr_us     bigint NOT NULL
);
CREATE INDEX report_call_started_at ON callcenter.report_call (started_at);
CREATE INDEX report_call_unsettled ON callcenter.report_call (started_at) WHERE NOT settled;

-- One row per contact of a settled call.
CREATE TABLE callcenter.report_contact (
    call_id      uuid NOT NULL REFERENCES callcenter.report_call ON DELETE CASCADE,
    segment      integer NOT NULL,          -- counts the call's contacts from 1
    direction    text NOT NULL,
    queue        text NOT NULL,
    agent        text,
    counted      text NOT NULL CHECK (counted IN ('answered', 'attended', 'abandoned', 'left', 'refused')),
    reason       text,                      -- why it left or was refused
    entered_at   timestamptz NOT NULL,
    left_at      timestamptz NOT NULL,      -- the queue: for an agent, by hanging up, or otherwise
    connected_at timestamptz,
    ended_at     timestamptz,               -- the conversation
    offers       integer NOT NULL,
    wait_us      bigint NOT NULL,
    ring_us      bigint NOT NULL,
    talk_us      bigint NOT NULL,
    hold_us      bigint NOT NULL,
    acw_us       bigint NOT NULL,
    PRIMARY KEY (call_id, segment)
);
CREATE INDEX report_contact_entered_at ON callcenter.report_contact (entered_at);
CREATE INDEX report_contact_left_at ON callcenter.report_contact (left_at);

-- A day, or another window, that has been added up. Its cells go with it; who changes a contact or a call
-- of the day removes the day in the same transaction. A missing day costs time, never truth.
CREATE TABLE callcenter.rollup_day (
    start timestamptz PRIMARY KEY,
    until timestamptz NOT NULL,
    CHECK (start < until)
);

-- Contacts of calls that came in, by the queue and the day they entered it. Waits are packed, 8 bytes of µs each
-- as int8send writes them, because any threshold may be asked for later.
CREATE TABLE callcenter.rollup_queue (
    start     timestamptz NOT NULL REFERENCES callcenter.rollup_day ON DELETE CASCADE,
    queue     text NOT NULL,
    attended  bigint NOT NULL,              -- handed over in person, so not offered
    offers    bigint NOT NULL,
    ring_us   bigint NOT NULL,
    talk_us   bigint NOT NULL,
    hold_us   bigint NOT NULL,
    acw_us    bigint NOT NULL,
    answered  bytea NOT NULL,               -- waits of the answered,
    abandoned bytea NOT NULL,               -- of those who hung up,
    others    bytea NOT NULL,               -- and of those who left otherwise
    PRIMARY KEY (start, queue)
);
CREATE TABLE callcenter.rollup_left (
    start    timestamptz NOT NULL REFERENCES callcenter.rollup_day ON DELETE CASCADE,
    queue    text NOT NULL,
    counted  text NOT NULL,
    reason   text NOT NULL,
    contacts bigint NOT NULL,
    PRIMARY KEY (start, queue, counted, reason)
);

-- Contacts by agent and queue, whoever called whom.
CREATE TABLE callcenter.rollup_agent (
    start    timestamptz NOT NULL REFERENCES callcenter.rollup_day ON DELETE CASCADE,
    agent    text NOT NULL,
    queue    text NOT NULL,
    attended bigint NOT NULL,
    offers   bigint NOT NULL,
    ring_us  bigint NOT NULL,
    talk_us  bigint NOT NULL,
    hold_us  bigint NOT NULL,
    acw_us   bigint NOT NULL,
    answered bytea NOT NULL,
    PRIMARY KEY (start, agent, queue)
);

-- Agents' time by what they did.
CREATE TABLE callcenter.rollup_time (
    start          timestamptz NOT NULL REFERENCES callcenter.rollup_day ON DELETE CASCADE,
    agent          text NOT NULL,
    occupied_us    bigint NOT NULL,
    available_us   bigint NOT NULL,
    unavailable_us bigint NOT NULL,
    paid_us        bigint NOT NULL,
    PRIMARY KEY (start, agent)
);

-- Calls by the day they began; queue '' counts them all, another those that entered it.
CREATE TABLE callcenter.rollup_call (
    start         timestamptz NOT NULL REFERENCES callcenter.rollup_day ON DELETE CASCADE,
    queue         text NOT NULL,
    outcome       text NOT NULL,
    calls         bigint NOT NULL,
    bridged_calls bigint NOT NULL,
    bridged_us    bigint NOT NULL,
    ivr_us        bigint NOT NULL,
    hung_up       bytea NOT NULL,           -- waits of the abandoned calls
    PRIMARY KEY (start, queue, outcome)
);

-- What happened before this version is folded by the running service, little by little.
INSERT INTO callcenter.report_mark (call_id) SELECT call_id FROM callcenter.call WHERE ended_at IS NOT NULL;

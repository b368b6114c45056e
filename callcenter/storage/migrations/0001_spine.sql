-- Calls, events, agents, queues' waiting lines, words, recordings, API tokens.
-- The rows are the truth: a process that dies leaves here all that another one needs to go on.

CREATE SCHEMA IF NOT EXISTS callcenter;

-- A running service process. It holds the advisory lock (hashtextextended(node_id::text, 0)) for as long as
-- its connection lives; a row whose lock is free and whose seen_at is old belongs to a dead process.
CREATE TABLE callcenter.node (
    node_id    uuid PRIMARY KEY,
    url        text NOT NULL,               -- public base URL under which this very process is reached
    host       text NOT NULL,
    pid        integer NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at    timestamptz NOT NULL DEFAULT now()
);

-- One row per call, a projection of its events: made by call.started, closed by call.ended.
CREATE TABLE callcenter.call (
    call_id     uuid PRIMARY KEY,
    chain_id    uuid NOT NULL,
    node_id     uuid NOT NULL,              -- who carries (or carried) the media
    direction   text NOT NULL,
    gateway     text NOT NULL,
    call_ref    text NOT NULL,              -- the gateway's own name of the call
    from_number text NOT NULL,
    to_number   text NOT NULL,
    queue       text,                       -- the last queue entered
    agent_id    text,                       -- the last agent connected
    started_at  timestamptz NOT NULL,
    connected_at timestamptz,               -- first agent connected
    ended_at    timestamptz,
    end_cause   text,
    outcome     text
);
CREATE INDEX call_started_at ON callcenter.call (started_at DESC);
CREATE INDEX call_open ON callcenter.call (node_id) WHERE ended_at IS NULL;

-- Append-only. event_id gives the order of storing, (call_id, seq) the order of happening.
CREATE TABLE callcenter.event (
    event_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL,
    type     text NOT NULL,
    call_id  uuid,
    seq      integer,
    chain_id uuid,
    queue    text,
    agent    text,
    leg      text,
    data     jsonb NOT NULL DEFAULT '{}',
    CHECK ((call_id IS NULL) = (seq IS NULL))
);
-- Unique, so that storing an event again, after an outage that hid a commit, changes nothing.
CREATE UNIQUE INDEX event_call_seq ON callcenter.event (call_id, seq) WHERE call_id IS NOT NULL;
CREATE INDEX event_agent ON callcenter.event (agent, at) WHERE call_id IS NULL;
CREATE INDEX event_at ON callcenter.event (at);

-- Agents and what they are doing now. state_since is also "idle since" for one who is available.
-- Few rows that change often: no index on what changes, so that updates stay on their page (HOT).
CREATE TABLE callcenter.agent (
    agent_id      text PRIMARY KEY,
    name          text NOT NULL,
    gateway       text NOT NULL,            -- through which gateway the agent is dialled
    address       text NOT NULL,            -- what is dialled
    state         text NOT NULL DEFAULT 'offline' CHECK (state IN
                      ('offline', 'available', 'reserved', 'ringing', 'talking', 'wrap_up', 'break')),
    reason        text NOT NULL DEFAULT '', -- what kind of break, or what led to this state
    state_since   timestamptz NOT NULL DEFAULT clock_timestamp(),
    next_state    text CHECK (next_state IN ('offline', 'break')),  -- wished for after the present call
    next_reason   text NOT NULL DEFAULT '',
    -- the call the agent is reserved for, talking on or wrapping up, and the process that carries it
    call_id       uuid,
    offer_id      uuid,
    node_id       uuid,
    rest_until    timestamptz NOT NULL DEFAULT '-infinity',  -- no offer before: could not be dialled
    enabled       boolean NOT NULL DEFAULT true,
    CHECK ((state IN ('reserved', 'ringing', 'talking', 'wrap_up')) = (call_id IS NOT NULL))
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);

-- Whoever changes an agent's state, the change is in the log and heard: 'agent' tells everybody, 'acd' wakes
-- those who match agents with callers.
CREATE FUNCTION callcenter.agent_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    stored bigint;
BEGIN
    IF (NEW.state, NEW.reason) IS DISTINCT FROM (OLD.state, OLD.reason) THEN
        INSERT INTO callcenter.event (at, type, agent, data)
        VALUES (NEW.state_since, 'agent.state', NEW.agent_id, jsonb_build_object(
                    'from', OLD.state, 'to', NEW.state, 'reason', NEW.reason,
                    'call', coalesce(NEW.call_id, OLD.call_id)))
        RETURNING event_id INTO stored;
        PERFORM pg_notify('event', stored || '..' || stored);
    END IF;
    PERFORM pg_notify('agent', json_build_object('agent_id', NEW.agent_id, 'state', NEW.state)::text);
    IF NEW.state = 'available' THEN
        PERFORM pg_notify('acd', '');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER agent_changed AFTER UPDATE OF state, reason, next_state, enabled ON callcenter.agent
    FOR EACH ROW EXECUTE FUNCTION callcenter.agent_changed();

CREATE TABLE callcenter.agent_queue (
    agent_id text NOT NULL REFERENCES callcenter.agent ON DELETE CASCADE,
    queue    text NOT NULL,
    PRIMARY KEY (agent_id, queue)
);
CREATE INDEX agent_queue_queue ON callcenter.agent_queue (queue, agent_id);

-- The waiting line: one row per caller who waits or has an offer out; the row goes when the caller leaves.
-- The place in line is (priority DESC, entered_at, entry_id) and does not change with refused offers.
-- No index holds what an offer changes, so that offers are HOT updates.
CREATE TABLE callcenter.queue_entry (
    entry_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    call_id       uuid NOT NULL UNIQUE,
    node_id       uuid NOT NULL,            -- who carries the call and hears of its offers
    queue         text NOT NULL,
    priority      integer NOT NULL DEFAULT 0,
    entered_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    state         text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'offered')),
    agent_id      text,                     -- to whom it is offered
    offer_id      uuid,
    -- agents who refused this caller and until when each is not asked again; two arrays of equal length
    refused_by    text[] NOT NULL DEFAULT '{}',
    refused_until timestamptz[] NOT NULL DEFAULT '{}',
    CHECK ((state = 'offered') = (offer_id IS NOT NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);
CREATE INDEX queue_entry_line ON callcenter.queue_entry (queue, priority DESC, entered_at, entry_id);
CREATE INDEX queue_entry_node ON callcenter.queue_entry (node_id);

-- A leg that is expected: an announced call or an agent who is being dialled. Single use, short-lived.
CREATE TABLE callcenter.leg_token (
    token_hash  bytea PRIMARY KEY,          -- sha256 of the token; the token itself is not stored
    kind        text NOT NULL CHECK (kind IN ('caller', 'agent')),
    gateway     text NOT NULL,
    node_id     uuid,                       -- the process that waits for it; null: any process may take it
    call_id     uuid,                       -- for an agent's leg: the call it is meant for
    call_ref    text NOT NULL DEFAULT '',
    from_number text NOT NULL DEFAULT '',
    to_number   text NOT NULL DEFAULT '',
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz
);
CREATE INDEX leg_token_expiry ON callcenter.leg_token (expires_at);

-- What was said. Times are ms since the call started, on the call's clock.
CREATE TABLE callcenter.transcript_segment (
    segment_id uuid PRIMARY KEY,
    call_id    uuid NOT NULL,
    leg        text NOT NULL,               -- caller | agent
    agent_id   text,
    start_ms   integer NOT NULL,
    end_ms     integer NOT NULL,
    text       text NOT NULL,
    language   text NOT NULL,
    confidence real NOT NULL,               -- 0..1
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX transcript_segment_call ON callcenter.transcript_segment (call_id, start_ms);

-- Sound files. A row is 'writing' while its file grows; recovery after a crash finds such rows by node.
CREATE TABLE callcenter.recording (
    recording_id uuid PRIMARY KEY,
    call_id      uuid NOT NULL,
    node_id      uuid NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('conversation', 'voicemail')),
    path         text NOT NULL,             -- relative to the recordings folder
    channels     smallint NOT NULL,
    offset_ms    integer NOT NULL,          -- where on the call's clock the file begins
    duration_ms  integer,
    state        text NOT NULL DEFAULT 'writing' CHECK (state IN ('writing', 'done', 'failed')),
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX recording_call ON callcenter.recording (call_id);
CREATE INDEX recording_writing ON callcenter.recording (node_id) WHERE state = 'writing';

CREATE TABLE callcenter.user_account (
    user_name  text PRIMARY KEY,
    role       text NOT NULL CHECK (role IN ('agent', 'supervisor', 'admin')),
    agent_id   text,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE callcenter.api_token (
    token_hash bytea PRIMARY KEY,           -- sha256; tokens carry 256 random bits, so no salt is needed
    user_name  text NOT NULL REFERENCES callcenter.user_account ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz
);

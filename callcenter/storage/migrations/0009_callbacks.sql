-- Callbacks: customers who keep their place in line or choose a time and are rung up. The tables belong to the
-- package callback; the line, the event log and the live view follow them by triggers, in the same transaction.

CREATE SCHEMA callback;

CREATE TABLE callback.callback (
    callback_id    uuid PRIMARY KEY,
    queue          text NOT NULL,
    number         text NOT NULL,           -- E.164; empty once erased
    source         text NOT NULL,
    mode           text NOT NULL CHECK (mode IN ('agent_first', 'customer_first')),
    state          text NOT NULL,
    state_since    timestamptz NOT NULL DEFAULT clock_timestamp(),
    requested_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    arrived_at     timestamptz NOT NULL,    -- the place in line: never changed by retries
    not_before     timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    promised_from  timestamptz NOT NULL,
    promised_until timestamptz NOT NULL,
    slot_start     timestamptz,
    slot_end       timestamptz,
    slot_local     timestamp,               -- what was chosen, on the wall clock of zone
    zone           text NOT NULL,
    language       text NOT NULL DEFAULT '',
    name           text NOT NULL DEFAULT '',
    topic          text NOT NULL DEFAULT '',
    note           text NOT NULL DEFAULT '',
    consent        boolean NOT NULL DEFAULT false,
    priority       integer NOT NULL DEFAULT 0,
    needs          text NOT NULL DEFAULT '[]',  -- as callcenter.queue_entry has it
    owner          text,                    -- the agent who should make the call,
    owner_until    timestamptz,             -- and until when nobody else may
    from_number    text NOT NULL DEFAULT '',-- what the customer sees
    chain_id       uuid NOT NULL,           -- links the calls of one matter
    call_id        uuid,                    -- the call it was asked for in
    attempts       integer NOT NULL DEFAULT 0,
    attempts_max   integer NOT NULL,
    bridge_redials integer NOT NULL DEFAULT 0,
    apologise      boolean NOT NULL DEFAULT false,
    version        integer NOT NULL DEFAULT 1,
    fence          bigint NOT NULL DEFAULT 0,
    worker         uuid,
    lease_until    timestamptz,
    ended_at       timestamptz,
    ended_by       text NOT NULL DEFAULT '',
    cause          text NOT NULL DEFAULT '',
    erased_at      timestamptz,
    CHECK ((ended_at IS NOT NULL) = (state IN
        ('completed', 'cancelled', 'merged', 'exhausted', 'expired', 'rejected', 'failed'))),
    -- A worker answers for it from the claim to the end; who reconciles what another one left does, too.
    CHECK ((lease_until IS NULL) = (worker IS NULL)),
    CHECK (state = 'reconciling' OR (lease_until IS NOT NULL) = (state IN
        ('claimed', 'agent_reserved', 'agent_accepted', 'dialing', 'answered', 'confirming', 'waiting_agent',
         'bridged')))
) WITH (fillfactor = 70, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0.05);
-- At most one open callback of a number in a queue.
CREATE UNIQUE INDEX callback_open ON callback.callback (queue, number) WHERE ended_at IS NULL;
CREATE INDEX callback_number ON callback.callback (number, requested_at);
CREATE INDEX callback_clock ON callback.callback (not_before)
    WHERE state IN ('queued', 'scheduled', 'retry_wait');
CREATE INDEX callback_due ON callback.callback (queue, (-priority), arrived_at) WHERE state = 'due';
CREATE INDEX callback_first ON callback.callback (queue, (-priority), arrived_at)
    WHERE state = 'due' AND mode = 'customer_first';
CREATE INDEX callback_lease ON callback.callback (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX callback_lost ON callback.callback (state_since) WHERE state = 'reconciling';
CREATE INDEX callback_expiry ON callback.callback (expires_at) WHERE ended_at IS NULL;
CREATE INDEX callback_slot ON callback.callback (queue, slot_start) WHERE slot_start IS NOT NULL;
CREATE INDEX callback_requested ON callback.callback (requested_at);
CREATE INDEX callback_chain ON callback.callback (chain_id);

-- One row for every dialling of a customer, committed before the network is asked.
CREATE TABLE callback.attempt (
    attempt_id     uuid PRIMARY KEY,        -- the network's idempotency key
    callback_id    uuid NOT NULL REFERENCES callback.callback ON DELETE CASCADE,
    number_of      integer NOT NULL,        -- counts the callback's attempts from 1
    fence          bigint NOT NULL,
    worker         uuid NOT NULL,
    gateway        text NOT NULL,
    call_id        uuid NOT NULL,
    call_ref       text NOT NULL DEFAULT '',
    ring_timeout_s double precision NOT NULL,
    started_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    answered_at    timestamptz,
    bridged_at     timestamptz,
    ended_at       timestamptz,
    result         text,
    counted        boolean NOT NULL DEFAULT false,
    CHECK ((ended_at IS NULL) = (result IS NULL)),
    UNIQUE (callback_id, number_of)
);
CREATE UNIQUE INDEX attempt_open ON callback.attempt (callback_id) WHERE ended_at IS NULL;
CREATE INDEX attempt_started_at ON callback.attempt (started_at);
CREATE INDEX attempt_call ON callback.attempt (call_id);

-- What the network told of an attempt; each message counts once.
CREATE TABLE callback.gateway_event (
    attempt_id uuid NOT NULL REFERENCES callback.attempt ON DELETE CASCADE,
    event_id   text NOT NULL,
    status     text NOT NULL,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (attempt_id, event_id)
);

-- Every change, in the transaction that made it.
CREATE TABLE callback.event (
    event_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    callback_id uuid NOT NULL REFERENCES callback.callback ON DELETE CASCADE,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    step        text NOT NULL,              -- a step of the state table, or: edited, moved, erased
    before      text NOT NULL,
    after       text NOT NULL,
    by          text NOT NULL,              -- customer, worker, clock, or user NAME
    cause       text NOT NULL DEFAULT '',
    attempt_id  uuid,
    data        jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX event_callback ON callback.event (callback_id, event_id);
CREATE INDEX event_at ON callback.event (at);

-- A client's key and what came of it, so that a request sent twice is one.
CREATE TABLE callback.idempotency (
    client      text NOT NULL,
    key         text NOT NULL,
    body_hash   bytea NOT NULL,
    callback_id uuid NOT NULL,
    created     boolean NOT NULL DEFAULT true,  -- false: there was one already
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (client, key)
);
CREATE INDEX idempotency_created_at ON callback.idempotency (created_at);

CREATE TABLE callback.do_not_call (
    number   text PRIMARY KEY,
    added_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    added_by text NOT NULL,
    note     text NOT NULL DEFAULT ''
);

-- Who is told of changes. Deliveries are made in the transaction of the change.
CREATE TABLE callback.webhook (
    name      text PRIMARY KEY,
    url       text NOT NULL,
    steps     text[] NOT NULL DEFAULT '{}', -- kinds of events; empty: all
    enabled   boolean NOT NULL DEFAULT true
);
CREATE TABLE callback.delivery (
    delivery_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id    bigint NOT NULL,
    callback_id uuid NOT NULL REFERENCES callback.callback ON DELETE CASCADE,
    webhook     text NOT NULL REFERENCES callback.webhook ON DELETE CASCADE,
    state       text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead')),
    tries       integer NOT NULL DEFAULT 0, -- begun ones; which of them may write what came of it
    made_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    next_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_error  text NOT NULL DEFAULT '',
    done_at     timestamptz
);
CREATE INDEX delivery_pending ON callback.delivery (webhook, next_at) WHERE state = 'pending';
CREATE INDEX delivery_dead ON callback.delivery (delivery_id) WHERE state = 'dead';
CREATE INDEX delivery_done ON callback.delivery (done_at) WHERE done_at IS NOT NULL;
CREATE INDEX delivery_callback ON callback.delivery (callback_id, webhook, delivery_id);
-- What a change is called: by where it led or, where that is where it was, by what was done.
CREATE FUNCTION callback.kind(step text, after text) RETURNS text LANGUAGE sql IMMUTABLE
RETURN CASE WHEN step IN ('edited', 'moved', 'reassigned', 'expedited', 'erased') THEN step ELSE after END;
CREATE FUNCTION callback.changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO callback.delivery (event_id, callback_id, webhook)
    SELECT s.event_id, s.callback_id, w.name FROM stored AS s JOIN callback.webhook AS w
        ON w.enabled AND (w.steps = '{}' OR callback.kind(s.step, s.after) = ANY (w.steps))
     ORDER BY s.event_id;
    IF FOUND THEN
        PERFORM pg_notify('callback_delivery', '');
    END IF;
    -- What a worker does with a callback that it has is nobody else's business.
    PERFORM pg_notify('callback', json_build_object('callback_id', callback_id, 'state', after)::text)
       FROM stored WHERE after NOT IN ('requested', 'agent_reserved', 'agent_accepted', 'dialing', 'answered',
                                       'confirming', 'waiting_agent', 'bridged');
    RETURN NULL;
END $$;
CREATE TRIGGER changed AFTER INSERT ON callback.event REFERENCING NEW TABLE AS stored
    FOR EACH STATEMENT EXECUTE FUNCTION callback.changed();

-- What signs links and single-use codes, made when it is first needed and shared by all processes.
CREATE TABLE callback.signing_key (
    only_one   boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    key        bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- What customers fill in on their page, until it is granted; kept briefly. Codes prove who has the number.
CREATE TABLE callcenter.callback_code (
    key_hash        bytea PRIMARY KEY,          -- SHA-256 of the form's one-time key
    wish            jsonb NOT NULL,             -- without the number once it is done
    done            boolean NOT NULL DEFAULT false,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at      timestamptz NOT NULL,
    callback_id     uuid,                       -- what came of it
    code_hash       bytea,                      -- of the newest code; null: none is good
    code_expires_at timestamptz,
    tries           integer NOT NULL DEFAULT 0, -- of the newest code
    sent            integer NOT NULL DEFAULT 0,
    sent_at         timestamptz,
    proved          boolean NOT NULL DEFAULT false
);
CREATE INDEX callback_code_expires_at ON callcenter.callback_code (expires_at);

-- How often a number and an address used the customers' page lately; neither can be read out of it.
CREATE TABLE callcenter.callback_page_use (
    use_hash bytea NOT NULL,
    mark     bytea NOT NULL,        -- what was sent twice counts once
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (use_hash, mark)
);
CREATE INDEX callback_page_use_at ON callcenter.callback_page_use (at);

-- A customer who is rung up comes in as a leg of the call that waits for them, like an agent.
ALTER TABLE callcenter.leg_token DROP CONSTRAINT leg_token_kind_check;
ALTER TABLE callcenter.leg_token ADD CONSTRAINT leg_token_kind_check
    CHECK (kind IN ('caller', 'agent', 'customer'));

-- The line. A callback that waits, or is due, stands in it like a caller; it is nobody's call until a worker
-- takes its turn. One that may not be dialled yet keeps its place and is passed over.
ALTER TABLE callcenter.queue_entry
    ALTER COLUMN node_id DROP NOT NULL,     -- null: the turn of a callback, for any process to take
    ADD COLUMN callback_id uuid UNIQUE,
    ADD COLUMN ready boolean NOT NULL DEFAULT true;
DROP INDEX callcenter.queue_entry_class;
CREATE INDEX queue_entry_class ON callcenter.queue_entry (queue, (-priority), needs, entered_at, entry_id)
    WHERE ready;
CREATE INDEX queue_entry_position ON callcenter.queue_entry (queue, (-priority), entered_at, entry_id);

-- Who was kept for a turn that nobody has taken yet is free at once; whose telephone rings for one that was
-- taken is freed by whoever has it.
CREATE FUNCTION callcenter.free_kept(kept callcenter.queue_entry) RETURNS void LANGUAGE sql AS $$
    UPDATE callcenter.agent AS a
       SET state = coalesce(a.next_state, 'available'),
           reason = CASE WHEN a.next_state IS NULL THEN '' ELSE a.next_reason END,
           state_since = clock_timestamp(), next_state = NULL, next_reason = '',
           call_id = NULL, offer_id = NULL, node_id = NULL
     WHERE kept.node_id IS NULL AND a.agent_id = ANY (kept.offered_to) AND a.offer_id = kept.offer_id
       AND a.state = 'reserved'
$$;
CREATE FUNCTION callcenter.callback_in_line() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kept callcenter.queue_entry;
BEGIN
    IF NEW.state IN ('queued', 'due', 'retry_wait') THEN
        SELECT * INTO kept FROM callcenter.queue_entry WHERE callback_id = NEW.callback_id FOR UPDATE;
        INSERT INTO callcenter.queue_entry AS e
               (call_id, queue, priority, entered_at, needs, preferred_agent, held_until, callback_id, ready)
        VALUES (gen_random_uuid(), NEW.queue, NEW.priority, NEW.arrived_at, NEW.needs, NEW.owner,
                NEW.owner_until, NEW.callback_id, NEW.state = 'due' AND NEW.mode = 'agent_first')
        ON CONFLICT (callback_id) DO UPDATE
           SET queue = excluded.queue, priority = excluded.priority, entered_at = excluded.entered_at,
               needs = excluded.needs, preferred_agent = excluded.preferred_agent,
               held_until = excluded.held_until, ready = excluded.ready,
               -- A turn that was given back stands in line again, as another call.
               state = 'waiting', offered_to = '{}', offer_id = NULL, node_id = NULL,
               call_id = CASE WHEN e.node_id IS NULL THEN e.call_id ELSE excluded.call_id END;
        IF NEW.state = 'due' THEN
            PERFORM pg_notify('acd', '');
        END IF;
    ELSIF NEW.state IN ('claimed', 'agent_reserved') THEN
        -- Whoever has claimed it takes the turn; nobody else is to be asked for it.
        UPDATE callcenter.queue_entry SET ready = false WHERE callback_id = NEW.callback_id AND ready;
    ELSE
        DELETE FROM callcenter.queue_entry WHERE callback_id = NEW.callback_id RETURNING * INTO kept;
    END IF;
    IF kept.offer_id IS NOT NULL THEN
        PERFORM callcenter.free_kept(kept);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER callback_in_line AFTER INSERT OR UPDATE OF
    state, queue, priority, arrived_at, needs, owner, owner_until, mode ON callback.callback
    FOR EACH ROW EXECUTE FUNCTION callcenter.callback_in_line();

-- Calls that call customers back are none of the calls that came in; so far all were such.
ALTER TABLE callcenter.report_call ADD COLUMN direction text NOT NULL DEFAULT 'inbound';
CREATE INDEX call_back ON callcenter.call (started_at) WHERE direction = 'callback';
CREATE INDEX event_offer ON callcenter.event (at)
    WHERE type IN ('callback.offered', 'callback.accepted', 'callback.declined');

-- Where the callbacks of a queue go that was removed: with the queue its own settings are gone.
CREATE TABLE callcenter.queue_fallback (
    queue    text PRIMARY KEY,
    fallback text NOT NULL
);
CREATE FUNCTION callcenter.queue_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM callcenter.queue_fallback WHERE queue = OLD.name;
    INSERT INTO callcenter.queue_fallback (queue, fallback)
    SELECT OLD.name, OLD.settings #>> '{callback,fallback}' WHERE OLD.settings #>> '{callback,fallback}' <> '';
    RETURN NULL;
END $$;
CREATE TRIGGER queue_removed AFTER DELETE ON callcenter.queue
    FOR EACH ROW EXECUTE FUNCTION callcenter.queue_removed();

-- The log. Every change of a callback is an event of the call center, too, linked by the chain.
CREATE FUNCTION callcenter.callback_logged() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    first bigint;
    last  bigint;
BEGIN
    WITH logged AS (
        INSERT INTO callcenter.event (at, type, chain_id, queue, data)
        SELECT s.at,
               'callback.' || callback.kind(s.step, s.after), c.chain_id, c.queue,
               jsonb_strip_nulls(jsonb_build_object(
                   'callback', s.callback_id, 'from', s.before, 'to', s.after, 'by', s.by,
                   'cause', nullif(s.cause, ''), 'attempt', s.attempt_id)) || s.data
          FROM stored AS s JOIN callback.callback AS c USING (callback_id) ORDER BY s.event_id
        RETURNING event_id)
    SELECT min(event_id), max(event_id) INTO first, last FROM logged;
    IF first IS NOT NULL THEN
        PERFORM pg_notify('event', first || '..' || last);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER callback_logged AFTER INSERT ON callback.event REFERENCING NEW TABLE AS stored
    FOR EACH STATEMENT EXECUTE FUNCTION callcenter.callback_logged();

-- Estimated waits: what was estimated and told, and what then happened.

-- One row per estimate, written when the wait is over. The first of each stay is made at_entry; the recent
-- ones of a queue are also where the next estimates learn patience and arrivals from.
CREATE TABLE callcenter.wait_estimate (
    estimate_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    call_id     uuid NOT NULL,
    queue       text NOT NULL,
    made_at     timestamptz NOT NULL,
    at_entry    boolean NOT NULL,
    priority    integer NOT NULL,
    position    integer NOT NULL,
    method      text NOT NULL CHECK (method IN ('formula', 'last_served', 'none')),
    p50_s       double precision,
    p90_s       double precision,
    said_from_s integer,                  -- the range that the caller was told
    said_to_s   integer,
    outcome     text NOT NULL CHECK (outcome IN ('answered', 'abandoned', 'left', 'failed')),
    waited_s    double precision NOT NULL, -- from made_at on
    UNIQUE (call_id, made_at),
    CHECK ((method = 'none') = (p50_s IS NULL)),
    CHECK ((p50_s IS NULL) = (p90_s IS NULL))
);
CREATE INDEX wait_estimate_made_at ON callcenter.wait_estimate (made_at);
CREATE INDEX wait_estimate_recent ON callcenter.wait_estimate (queue, made_at DESC) WHERE at_entry;

-- Recent contacts of a queue, by their last event.
CREATE INDEX event_wrapped_up ON callcenter.event (queue, at DESC) WHERE type = 'acw.ended';

-- Who called before, closures, and what callers say to surveys.

-- The calls of one number, the latest first: who is recognised is asked while they hear the first prompt.
CREATE INDEX call_from_number ON callcenter.call (from_number, started_at DESC);

-- What is closed at the moment although its hours say otherwise. A row that is past its time counts no more.
CREATE TABLE callcenter.closure (
    scope   text NOT NULL CHECK (scope IN ('all', 'queue', 'flow')),
    name    text NOT NULL,                  -- of the queue or the flow; empty for all
    message text NOT NULL,                  -- what callers hear; empty: a sentence of our own
    since   timestamptz NOT NULL DEFAULT clock_timestamp(),
    by_whom text NOT NULL,
    until   timestamptz,                    -- null: until somebody opens again
    PRIMARY KEY (scope, name),
    CHECK ((scope = 'all') = (name = ''))
);

-- Whoever closes or opens, every process hears of it.
CREATE FUNCTION callcenter.closure_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('closure', '');
    RETURN NULL;
END $$;
CREATE TRIGGER closure_changed AFTER INSERT OR UPDATE OR DELETE ON callcenter.closure
    FOR EACH STATEMENT EXECUTE FUNCTION callcenter.closure_changed();

ALTER TABLE callcenter.recording DROP CONSTRAINT recording_kind_check,
    ADD CONSTRAINT recording_kind_check CHECK (kind IN ('conversation', 'voicemail', 'survey'));

-- Distribution by strategies and skills; queues that change while the service runs.

-- Queues as they are now. from_file is what the settings file said when it was last read: a queue that was
-- changed since then keeps the change until the file itself says something new.
CREATE TABLE callcenter.queue (
    name       text PRIMARY KEY,
    settings   jsonb NOT NULL,
    from_file  jsonb,
    version    integer NOT NULL DEFAULT 1,
    changed_at timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE callcenter.agent
    ADD COLUMN skills     jsonb NOT NULL DEFAULT '{}',     -- level by skill
    ADD COLUMN calls      integer NOT NULL DEFAULT 0,      -- conversations since signing in
    ADD COLUMN offered_at timestamptz;                     -- when the last offer was made

-- Callers of one queue, priority and needs stand in the order of entry whatever happens; the index gives the
-- first few of each such class without the rest. Needs are text so that equal ones compare as equal.
ALTER TABLE callcenter.queue_entry
    ADD COLUMN needs           text NOT NULL DEFAULT '[]', -- [[after_s, {skill: level}], ...]
    ADD COLUMN preferred_agent text,
    ADD COLUMN held_until      timestamptz,                -- until then nobody but the preferred agent is asked
    ADD COLUMN offered_to      text[] NOT NULL DEFAULT '{}';
UPDATE callcenter.queue_entry SET offered_to = ARRAY[agent_id] WHERE agent_id IS NOT NULL;
ALTER TABLE callcenter.queue_entry DROP COLUMN agent_id;
DROP INDEX callcenter.queue_entry_line;
CREATE INDEX queue_entry_class ON callcenter.queue_entry (queue, (-priority), needs, entered_at, entry_id);
CREATE INDEX queue_entry_held ON callcenter.queue_entry (preferred_agent) WHERE held_until IS NOT NULL;

-- Who hung up while waiting, for as long as a second call may take the place; the numbers do not stay.
CREATE TABLE callcenter.left_place (
    number     text NOT NULL,
    queue      text NOT NULL,
    entered_at timestamptz NOT NULL,
    left_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (number, queue)
);
CREATE INDEX left_place_left_at ON callcenter.left_place (left_at);

-- A place in line may be kept for a second agent whom the first wants to ask about a call: nobody's contact, no
-- caller who waits, and not counted as one.
ALTER TABLE callcenter.queue_entry ADD COLUMN consult boolean NOT NULL DEFAULT false;

-- A contact that one agent handed to the next in person is handled by the next; no queue was offered it.
ALTER TABLE callcenter.report_contact DROP CONSTRAINT report_contact_counted_check;
ALTER TABLE callcenter.report_contact
    ADD CHECK (counted IN ('answered', 'attended', 'abandoned', 'left', 'refused')),
    ADD COLUMN attended bigint NOT NULL DEFAULT 0;   -- 1 or 0
ALTER TABLE callcenter.rollup_queue ADD COLUMN attended bigint NOT NULL DEFAULT 0;
ALTER TABLE callcenter.rollup_agent ADD COLUMN attended bigint NOT NULL DEFAULT 0;

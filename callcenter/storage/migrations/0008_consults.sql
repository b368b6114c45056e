-- A place in line may be kept for a second agent whom the first wants to ask about a call: nobody's contact, no
-- caller who waits, and not counted as one.
ALTER TABLE callcenter.queue_entry ADD COLUMN consult boolean NOT NULL DEFAULT false;

-- Word times, and how an utterance came to its text.
ALTER TABLE callcenter.transcript_segment
    ADD COLUMN number   integer,                        -- counts the leg's utterances, as its partial words do
    ADD COLUMN words    jsonb,                          -- [[text, start_ms, end_ms, probability], ...]
    ADD COLUMN degraded boolean NOT NULL DEFAULT false; -- put off because too much was said at once

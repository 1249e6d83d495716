-- The session of the caller for whom a decision was made, from its record: `session_id` is `_routing` for all of them.
-- Decisions that were logged before have none.
ALTER TABLE entries ADD COLUMN caller_session TEXT;

CREATE INDEX entries_by_caller_session ON entries (caller_session, id) WHERE caller_session IS NOT NULL;

CREATE INDEX entries_by_decision ON entries (decision_id, id) WHERE decision_id IS NOT NULL;

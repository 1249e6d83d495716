-- The client's own id of the call that a decision was made for, so that a hook of the client finds the decision. It is part
-- of `rest`, too: the record is shown as it was sent.
ALTER TABLE decisions ADD COLUMN client_call_id TEXT;

UPDATE decisions SET client_call_id = rest ->> '$.client_call_id'
WHERE rest IS NOT NULL AND json_valid(rest) AND json_type(rest, '$.client_call_id') = 'text'
      AND length(rest ->> '$.client_call_id') BETWEEN 1 AND 256;

CREATE INDEX decisions_by_call ON decisions (client_call_id, id) WHERE client_call_id IS NOT NULL;

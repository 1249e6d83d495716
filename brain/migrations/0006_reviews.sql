-- Answers that are kept for a while, so that a person can judge them later: only where a policy has `review`. They are
-- deleted at `until_ms`.
CREATE TABLE reviews (
    decision_id TEXT   PRIMARY KEY,
    at_ms       BIGINT NOT NULL,
    until_ms    BIGINT NOT NULL,
    answer      TEXT   NOT NULL,
    cut         BIGINT NOT NULL
);

CREATE INDEX reviews_by_end ON reviews (until_ms);

-- The latest decisions of all skills, in the order in which they are listed.
CREATE INDEX decisions_by_time ON decisions (at_ms, id);

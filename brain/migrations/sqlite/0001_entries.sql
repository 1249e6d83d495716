-- One set of migrations for SQLite and Postgres: TEXT ids, BIGINT milliseconds since 1970.
CREATE TABLE entries (
    id           TEXT   PRIMARY KEY,
    at_ms        BIGINT NOT NULL,
    session_id   TEXT   NOT NULL,
    skill        TEXT   NOT NULL,
    phase        TEXT   NOT NULL,
    final_status TEXT   NOT NULL,
    message      TEXT   NOT NULL,
    duration_ms  BIGINT NOT NULL,
    project_root TEXT   NOT NULL,
    decision_id  TEXT,
    decision     TEXT
);

CREATE INDEX entries_by_session ON entries (session_id, id);

-- Counts of entries per skill and per minute and hour, kept in the transaction that adds the entry: a pass rate is a
-- sum over a few hundred rows however many entries there are.
CREATE TABLE outcome_counts (
    skill    TEXT   NOT NULL,
    width_ms BIGINT NOT NULL,
    start_ms BIGINT NOT NULL,
    pass     BIGINT NOT NULL,
    fail     BIGINT NOT NULL,
    total    BIGINT NOT NULL,
    PRIMARY KEY (skill, width_ms, start_ms)
);

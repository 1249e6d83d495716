-- The schema that SQLite's files 0001 to 0004 make, with the same columns in the same order. Texts sort by their bytes, as in
-- SQLite. From 0005 on one file changes both.
CREATE TABLE entries (
    id             TEXT   COLLATE "C" PRIMARY KEY,
    at_ms          BIGINT NOT NULL,
    session_id     TEXT   COLLATE "C" NOT NULL,
    skill          TEXT   COLLATE "C" NOT NULL,
    phase          TEXT   COLLATE "C" NOT NULL,
    final_status   TEXT   COLLATE "C" NOT NULL,
    message        TEXT   COLLATE "C" NOT NULL,
    duration_ms    BIGINT NOT NULL,
    project_root   TEXT   COLLATE "C" NOT NULL,
    decision_id    TEXT   COLLATE "C",
    caller_session TEXT   COLLATE "C"
);

CREATE INDEX entries_by_session ON entries (session_id, id);

CREATE INDEX entries_by_caller_session ON entries (caller_session, id) WHERE caller_session IS NOT NULL;

CREATE INDEX entries_by_decision ON entries (decision_id, id) WHERE decision_id IS NOT NULL;

CREATE TABLE decisions (
    id                TEXT   COLLATE "C" PRIMARY KEY,
    entry_id          TEXT   COLLATE "C" NOT NULL,
    at_ms             BIGINT NOT NULL,
    skill             TEXT   COLLATE "C" NOT NULL,
    arm               TEXT   COLLATE "C" NOT NULL,
    model             TEXT   COLLATE "C" NOT NULL,
    time_ms           BIGINT,
    stage             BIGINT,
    hash              TEXT   COLLATE "C",
    pass_rate         DOUBLE PRECISION,
    samples           BIGINT,
    evidence_age_ms   BIGINT,
    floor             DOUBLE PRECISION,
    ceil              DOUBLE PRECISION,
    reason            TEXT   COLLATE "C",
    decision          TEXT   COLLATE "C",
    answered_by       TEXT   COLLATE "C",
    gateway_fallback  BIGINT,
    prompt_tokens     BIGINT,
    completion_tokens BIGINT,
    finish_reason     TEXT   COLLATE "C",
    duration_ms       BIGINT,
    error             TEXT   COLLATE "C",
    caller            TEXT   COLLATE "C",
    session           TEXT   COLLATE "C",
    mode              TEXT   COLLATE "C",
    policy_hash       TEXT   COLLATE "C",
    rest              TEXT   COLLATE "C",
    client_call_id    TEXT   COLLATE "C"
);

CREATE INDEX decisions_by_entry ON decisions (entry_id);

CREATE INDEX decisions_by_skill ON decisions (skill, at_ms);

CREATE INDEX decisions_by_call ON decisions (client_call_id, id) WHERE client_call_id IS NOT NULL;

CREATE TABLE outcomes (
    id      TEXT   COLLATE "C" PRIMARY KEY,
    unit    TEXT   COLLATE "C" NOT NULL,
    at_ms   BIGINT NOT NULL,
    skill   TEXT   COLLATE "C" NOT NULL,
    arm     TEXT   COLLATE "C" NOT NULL,
    model   TEXT   COLLATE "C" NOT NULL,
    source  TEXT   COLLATE "C" NOT NULL,
    verdict TEXT   COLLATE "C" NOT NULL,
    state   TEXT   COLLATE "C" NOT NULL
);

CREATE INDEX outcomes_by_unit ON outcomes (unit);

CREATE INDEX outcomes_by_skill ON outcomes (skill, at_ms);

CREATE INDEX outcomes_by_model ON outcomes (skill, arm, model, at_ms, id) WHERE state = 'stands';

CREATE TABLE resets (
    skill TEXT   COLLATE "C" NOT NULL,
    model TEXT   COLLATE "C" NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (skill, model)
);

CREATE TABLE counts (
    skill    TEXT   COLLATE "C" NOT NULL,
    width_ms BIGINT NOT NULL,
    start_ms BIGINT NOT NULL,
    arm      TEXT   COLLATE "C" NOT NULL,
    model    TEXT   COLLATE "C" NOT NULL,
    what     TEXT   COLLATE "C" NOT NULL,
    number   BIGINT NOT NULL,
    PRIMARY KEY (skill, width_ms, start_ms, arm, model, what)
);

-- One row a decision, that is a model call whose record was reported. `rest` has what this version does not know.
CREATE TABLE decisions (
    id                TEXT   PRIMARY KEY,
    entry_id          TEXT   NOT NULL,
    at_ms             BIGINT NOT NULL,
    skill             TEXT   NOT NULL,
    arm               TEXT   NOT NULL,
    model             TEXT   NOT NULL,
    time_ms           BIGINT,
    stage             BIGINT,
    hash              TEXT,
    pass_rate         DOUBLE PRECISION,
    samples           BIGINT,
    evidence_age_ms   BIGINT,
    floor             DOUBLE PRECISION,
    ceil              DOUBLE PRECISION,
    reason            TEXT,
    decision          TEXT,
    answered_by       TEXT,
    gateway_fallback  BIGINT,
    prompt_tokens     BIGINT,
    completion_tokens BIGINT,
    finish_reason     TEXT,
    duration_ms       BIGINT,
    error             TEXT,
    caller            TEXT,
    session           TEXT,
    mode              TEXT,
    policy_hash       TEXT,
    rest              TEXT
);

CREATE INDEX decisions_by_entry ON decisions (entry_id);

CREATE INDEX decisions_by_skill ON decisions (skill, at_ms);

-- One row a verdict. `unit` is what it judges: a decision, or without one the verdict itself. `state`: `stands`,
-- `replaced` (by the same source), `retracted`, `reset` (evidence was begun anew), `refused` (its decision came later and
-- shows that it cannot be judged).
CREATE TABLE outcomes (
    id      TEXT   PRIMARY KEY,
    unit    TEXT   NOT NULL,
    at_ms   BIGINT NOT NULL,
    skill   TEXT   NOT NULL,
    arm     TEXT   NOT NULL,
    model   TEXT   NOT NULL,
    source  TEXT   NOT NULL,
    verdict TEXT   NOT NULL,
    state   TEXT   NOT NULL
);

CREATE INDEX outcomes_by_unit ON outcomes (unit);

CREATE INDEX outcomes_by_skill ON outcomes (skill, at_ms);

-- The latest verdicts on one model's answers, however many there are on others'.
CREATE INDEX outcomes_by_model ON outcomes (skill, arm, model, at_ms, id) WHERE state = 'stands';

-- When a skill's evidence was begun anew; model '': of all models.
CREATE TABLE resets (
    skill TEXT   NOT NULL,
    model TEXT   NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (skill, model)
);

-- Counts per minute, hour and day, kept in the transaction that changes what is counted. `what`: `entry`, `decision`, or
-- the pattern of the verdicts that stand on one decision.
CREATE TABLE counts (
    skill    TEXT   NOT NULL,
    width_ms BIGINT NOT NULL,
    start_ms BIGINT NOT NULL,
    arm      TEXT   NOT NULL,
    model    TEXT   NOT NULL,
    what     TEXT   NOT NULL,
    number   BIGINT NOT NULL,
    PRIMARY KEY (skill, width_ms, start_ms, arm, model, what)
);

-- Existing databases: no entry is lost, and what cannot be attributed counts as before. The model that answered is the one
-- that was asked, unless a gateway fell back by itself.
INSERT INTO decisions
SELECT decision_id, id, at_ms, COALESCE(decision ->> '$.skill', ''),
       CASE WHEN decision ->> '$.decision' <> 'local' THEN 'claude'
            WHEN decision ->> '$.gateway_fallback' = 1 AND decision ->> '$.answered_by' IS NOT decision ->> '$.model' THEN 'claude'
            ELSE 'local' END, COALESCE(decision ->> '$.model', ''),
       decision ->> '$.time_ms', decision ->> '$.stage', decision ->> '$.hash', decision ->> '$.pass_rate',
       decision ->> '$.samples', decision ->> '$.evidence_age_ms', decision ->> '$.floor', decision ->> '$.ceil',
       decision ->> '$.reason', decision ->> '$.decision', decision ->> '$.answered_by',
       decision ->> '$.gateway_fallback', decision ->> '$.prompt_tokens', decision ->> '$.completion_tokens',
       decision ->> '$.finish_reason', decision ->> '$.duration_ms', decision ->> '$.error', decision ->> '$.caller',
       decision ->> '$.session', decision ->> '$.mode', decision ->> '$.policy_hash', NULL
FROM entries
WHERE decision IS NOT NULL AND decision_id IS NOT NULL AND json_valid(decision)
ON CONFLICT (id) DO NOTHING;

INSERT INTO outcomes
SELECT e.id, CASE WHEN e.decision_id IS NULL OR d.skill <> e.skill THEN e.id ELSE e.decision_id END, e.at_ms, e.skill,
       CASE WHEN d.skill = e.skill THEN d.arm ELSE 'local' END,
       CASE WHEN d.skill <> e.skill OR d.id IS NULL THEN ''
            WHEN d.gateway_fallback = 1 THEN COALESCE(d.answered_by, '(gateway)') ELSE d.model END,
       'agent', e.final_status, 'stands'
FROM entries e LEFT JOIN decisions d ON d.id = e.decision_id
WHERE e.decision IS NULL AND e.final_status <> 'skip';

-- A decision counts once: its latest verdict.
UPDATE outcomes SET state = 'replaced'
WHERE unit <> id AND EXISTS (SELECT 1 FROM outcomes later WHERE later.unit = outcomes.unit AND later.id > outcomes.id);

INSERT INTO counts
SELECT skill, width_ms, start_ms, '', '', 'entry', total FROM outcome_counts;

INSERT INTO counts
SELECT skill, 86400000, start_ms - start_ms % 86400000, '', '', 'entry', SUM(total) FROM outcome_counts
WHERE width_ms = 3600000 GROUP BY 1, 3;

INSERT INTO counts
SELECT skill, w.width_ms, at_ms - at_ms % w.width_ms, arm, model,
       'a' || CASE verdict WHEN 'pass' THEN '+' ELSE '-' END, COUNT(*)
FROM outcomes, (SELECT 60000 AS width_ms UNION SELECT 3600000 UNION SELECT 86400000) w
WHERE state = 'stands' GROUP BY 1, 2, 3, 4, 5, 6;

INSERT INTO counts
SELECT skill, w.width_ms, at_ms - at_ms % w.width_ms, arm,
       CASE WHEN gateway_fallback = 1 THEN COALESCE(answered_by, '(gateway)') ELSE model END, 'decision', COUNT(*)
FROM decisions, (SELECT 60000 AS width_ms UNION SELECT 3600000 UNION SELECT 86400000) w
GROUP BY 1, 2, 3, 4, 5;

DROP TABLE outcome_counts;
ALTER TABLE entries DROP COLUMN decision;

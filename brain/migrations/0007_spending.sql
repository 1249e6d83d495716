-- What model calls used and cost, per minute, hour and day, kept in the transaction that adds the call. `line` is what the
-- call was for: an answer of the local model, one that was not used, a shadow call, a judgement, and so on. Money in
-- billionths of a US dollar. `counted`: calls whose tokens are known; `priced`: calls whose cost is known. `would_*`: of the
-- calls that the local model answered, what Claude would cost at its price at the time: the prompts; and the sum of the
-- prices of a million tokens of answers, in millionths of a dollar, which the usual length of Claude's answers multiplies.
CREATE TABLE spending (
    skill        TEXT   NOT NULL,
    width_ms     BIGINT NOT NULL,
    start_ms     BIGINT NOT NULL,
    arm          TEXT   NOT NULL,
    model        TEXT   NOT NULL,
    line         TEXT   NOT NULL,
    detail       TEXT   NOT NULL,
    calls        BIGINT NOT NULL,
    firsts       BIGINT NOT NULL,
    counted      BIGINT NOT NULL,
    tokens_in    BIGINT NOT NULL,
    tokens_cached BIGINT NOT NULL,
    tokens_out   BIGINT NOT NULL,
    out_squares  DOUBLE PRECISION NOT NULL,
    priced       BIGINT NOT NULL,
    nano_usd     BIGINT NOT NULL,
    nano_squares DOUBLE PRECISION NOT NULL,
    would_calls  BIGINT NOT NULL,
    would_in     BIGINT NOT NULL,
    would_out    BIGINT NOT NULL,
    PRIMARY KEY (skill, width_ms, start_ms, arm, model, line, detail)
);

-- One row a judgement by a model: what it took. What it said is a verdict.
CREATE TABLE gradings (
    id            TEXT   PRIMARY KEY,
    decision_id   TEXT   NOT NULL,
    at_ms         BIGINT NOT NULL,
    skill         TEXT   NOT NULL,
    model         TEXT   NOT NULL,
    tokens_in     BIGINT,
    tokens_cached BIGINT,
    tokens_out    BIGINT,
    nano_usd      BIGINT
);

ALTER TABLE decisions ADD COLUMN line TEXT;
ALTER TABLE decisions ADD COLUMN tokens_cached BIGINT;
ALTER TABLE decisions ADD COLUMN nano_usd BIGINT;
ALTER TABLE decisions ADD COLUMN would_in BIGINT;
ALTER TABLE decisions ADD COLUMN would_out BIGINT;

-- Decisions of before: their calls and tokens are known, their cost is not.
UPDATE decisions SET line = CASE
    WHEN rest LIKE '%"shadow":true%' THEN 'shadow'
    WHEN decision = 'local' AND error IS NOT NULL THEN 'local_failed'
    WHEN decision = 'local' THEN 'local'
    WHEN error IS NOT NULL THEN 'claude_failed'
    WHEN decision = 'claude_fallback' THEN 'fallback'
    WHEN decision = 'claude_escalation' THEN 'escalation'
    ELSE 'claude' END;

INSERT INTO spending
SELECT skill, w.width_ms, at_ms - at_ms % w.width_ms, arm, model, line, CASE WHEN line LIKE '%_failed' THEN error ELSE '' END,
       COUNT(*), SUM(CASE WHEN COALESCE(stage, 0) = 0 AND line NOT IN ('shadow', 'fallback', 'escalation') THEN 1 ELSE 0 END),
       SUM(CASE WHEN prompt_tokens IS NOT NULL AND completion_tokens IS NOT NULL THEN 1 ELSE 0 END),
       SUM(COALESCE(prompt_tokens, 0)), 0, SUM(COALESCE(completion_tokens, 0)),
       SUM(COALESCE(completion_tokens, 0) * 1.0 * COALESCE(completion_tokens, 0)), 0, 0, 0, 0, 0, 0
FROM decisions, (SELECT 60000 AS width_ms UNION SELECT 3600000 UNION SELECT 86400000) w
GROUP BY 1, 2, 3, 4, 5, 6, 7;

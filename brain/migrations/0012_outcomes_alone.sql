-- Outcomes that name no decision, of which there are few: how many of the judged answers they are, so that the others are
-- the decisions that were judged.
CREATE INDEX outcomes_alone ON outcomes (skill, at_ms) WHERE unit = id;

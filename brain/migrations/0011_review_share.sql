-- Which part of the answers the policy keeps from which an answer came, for the page; 0: not known.
ALTER TABLE reviews ADD COLUMN share DOUBLE PRECISION NOT NULL DEFAULT 0;

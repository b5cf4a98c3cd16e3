-- +goose Up
SET LOCAL statement_timeout = 0;

-- Whose key enrolled a site, when it changed last, and what claims that ended without an outcome
-- have to wait for.
ALTER TABLE farwire_sites
    ADD COLUMN key_id     TEXT NOT NULL DEFAULT '',
    ADD COLUMN last_change TIMESTAMPTZ, -- the last crawl that found another file
    ADD COLUMN resting    BOOLEAN NOT NULL DEFAULT FALSE, -- until somebody asks for the site
    ADD COLUMN lost       BIGINT NOT NULL DEFAULT 0,      -- claims in a row without an outcome
    ADD COLUMN free_again TIMESTAMPTZ;                    -- when the next claim may follow a lease that ran out; null: at once

CREATE INDEX farwire_sites_leased ON farwire_sites (leased_until) WHERE leased_until IS NOT NULL;

-- When a site of a subject was claimed last, so that subjects take turns.
CREATE TABLE farwire_turns (
    subject_key BYTEA NOT NULL PRIMARY KEY,
    claimed     TIMESTAMPTZ NOT NULL
);

-- +goose Up

-- Whose key enrolled a site, when it changed last, and what claims that ended without an outcome
-- have to wait for.
ALTER TABLE farwire_sites ADD COLUMN key_id TEXT NOT NULL DEFAULT '';
ALTER TABLE farwire_sites ADD COLUMN last_change TEXT; -- the last crawl that found another file
ALTER TABLE farwire_sites ADD COLUMN resting INTEGER NOT NULL DEFAULT FALSE; -- until somebody asks for the site
ALTER TABLE farwire_sites ADD COLUMN lost INTEGER NOT NULL DEFAULT 0; -- claims in a row without an outcome
ALTER TABLE farwire_sites ADD COLUMN free_again TEXT; -- when the next claim may follow a lease that ran out; null: at once

CREATE INDEX farwire_sites_leased ON farwire_sites (leased_until) WHERE leased_until IS NOT NULL;

-- When a site of a subject was claimed last, so that subjects take turns.
CREATE TABLE farwire_turns (
    subject_key BLOB NOT NULL PRIMARY KEY,
    claimed     TEXT NOT NULL
) STRICT;

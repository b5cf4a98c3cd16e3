-- +goose Up

-- Whether somebody asked for the slot next_crawl: only a claim serves it then. Null under a lease of an enrolment and after
-- it, until the next claim: the slot is the enrolment's own.
ALTER TABLE farwire_sites ADD COLUMN called INTEGER DEFAULT FALSE;

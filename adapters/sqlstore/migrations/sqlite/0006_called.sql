-- +goose Up

-- Whose time next_crawl is: TRUE, somebody asked for it, and a claim alone serves that;
-- FALSE, the site's own; NULL, an enrolment's, until its outcome, a claim or a request.
ALTER TABLE farwire_sites ADD COLUMN called INTEGER DEFAULT FALSE;

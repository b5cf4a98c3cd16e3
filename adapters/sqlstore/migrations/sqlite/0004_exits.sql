-- +goose Up

-- Which exits a site asks for: countries and slugs. A gateway claims only the sites that one of its agents fits.
ALTER TABLE farwire_sites
    ADD COLUMN exits TEXT NOT NULL GENERATED ALWAYS AS
        (replace(coalesce(options ->> 'geo', ''), '|', '?') || '|' || coalesce(options ->> 'agent', '')) VIRTUAL;

-- By what it is indexed: PostgreSQL's index takes no text of any length.
ALTER TABLE farwire_sites ADD COLUMN exits_key TEXT NOT NULL GENERATED ALWAYS AS (exits) VIRTUAL;

CREATE INDEX farwire_sites_exits ON farwire_sites (exits_key, next_crawl);

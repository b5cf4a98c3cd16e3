-- +goose Up
SET LOCAL statement_timeout = 0;

-- Which exits a site asks for: countries and slugs. A gateway claims only the sites that one of its agents fits.
ALTER TABLE farwire_sites
    ADD COLUMN exits TEXT NOT NULL GENERATED ALWAYS AS
        (replace(coalesce(options ->> 'geo', ''), '|', '?') || '|' || coalesce(options ->> 'agent', '')) STORED;

-- The same, or two hashes of it: an index takes no text of any length.
ALTER TABLE farwire_sites
    ADD COLUMN exits_key TEXT NOT NULL GENERATED ALWAYS AS (
        CASE WHEN octet_length(coalesce(options ->> 'geo', '')) + octet_length(coalesce(options ->> 'agent', '')) <= 1000
            THEN replace(coalesce(options ->> 'geo', ''), '|', '?') || '|' || coalesce(options ->> 'agent', '')
            ELSE hashtextextended(coalesce(options ->> 'geo', '') || '|' || coalesce(options ->> 'agent', ''), 0)::text || ' ' ||
                hashtextextended(coalesce(options ->> 'geo', '') || '|' || coalesce(options ->> 'agent', ''), 1)::text
        END) STORED;

CREATE INDEX farwire_sites_exits ON farwire_sites (exits_key, next_crawl);

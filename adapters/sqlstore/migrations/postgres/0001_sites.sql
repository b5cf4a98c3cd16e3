-- +goose Up
-- An enrolled site, its schedule and its lease.
CREATE TABLE farwire_sites (
    id                      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject                 TEXT NOT NULL,
    base_url                TEXT NOT NULL,
    options                 JSON NOT NULL,
    interval_seconds        DOUBLE PRECISION NOT NULL,
    webhook_secret          TEXT NOT NULL,
    created                 TIMESTAMPTZ NOT NULL,

    next_crawl              TIMESTAMPTZ NOT NULL, -- the due slot, until it is committed
    last_crawl              TIMESTAMPTZ,
    failures                BIGINT NOT NULL,
    last_error              TEXT NOT NULL,
    hash                    TEXT NOT NULL,
    version                 BIGINT NOT NULL,
    hosted_url              TEXT NOT NULL,
    sitemap_lastmod         TIMESTAMPTZ,
    change_interval_seconds DOUBLE PRECISION NOT NULL,
    pages                   BIGINT NOT NULL DEFAULT 0,

    token                   BIGINT NOT NULL, -- of the newest lease
    leased_until            TIMESTAMPTZ,     -- null: not leased
    wanted                  TIMESTAMPTZ,     -- the commit sets next_crawl no later than this

    subject_key             BYTEA NOT NULL, -- SHA-256: an index takes no text of any length
    base_key                BYTEA NOT NULL,
    UNIQUE (subject_key, base_key)
) WITH (fillfactor = 80); -- a lease is an update within the page of its row

CREATE INDEX farwire_sites_due ON farwire_sites (next_crawl, id);
CREATE INDEX farwire_sites_base ON farwire_sites (base_key);

-- The pages that the last crawl left, for conditional requests.
CREATE TABLE farwire_pages (
    site_id       BIGINT NOT NULL REFERENCES farwire_sites ON DELETE CASCADE,
    pos           BIGINT NOT NULL, -- from 0, in the order of the file
    digest        BYTEA NOT NULL, -- of what follows: rows that are equal are not written again
    url           TEXT NOT NULL,
    title         TEXT NOT NULL,
    excerpt       TEXT NOT NULL,
    etag          TEXT NOT NULL,
    last_modified TEXT NOT NULL,
    links         JSON NOT NULL, -- an array of URLs
    rest          BYTEA NOT NULL, -- what else there is to a page: JSON, deflated
    PRIMARY KEY (site_id, pos)
);
ALTER TABLE farwire_pages ALTER COLUMN rest SET STORAGE EXTERNAL;

-- One line for each lease that ended in an outcome, with the site as it was
-- afterwards. A slot is a site and the time at which it was due.
CREATE TABLE farwire_recrawls (
    site_id   BIGINT NOT NULL REFERENCES farwire_sites ON DELETE CASCADE,
    token     BIGINT NOT NULL,
    due       TIMESTAMPTZ NOT NULL,
    committed TIMESTAMPTZ NOT NULL,
    error     TEXT NOT NULL, -- empty: the crawl did not fail
    hash      TEXT NOT NULL,
    version   BIGINT NOT NULL,
    pages     BIGINT NOT NULL,
    PRIMARY KEY (site_id, token)
);

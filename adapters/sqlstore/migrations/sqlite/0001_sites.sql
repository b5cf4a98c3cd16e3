-- +goose Up
-- Times are texts in UTC, all of one form: 2006-01-02 15:04:05.000000Z.

-- An enrolled site, its schedule and its lease.
CREATE TABLE farwire_sites (
    id                      INTEGER PRIMARY KEY AUTOINCREMENT,
    subject                 TEXT NOT NULL,
    base_url                TEXT NOT NULL,
    options                 TEXT NOT NULL,
    interval_seconds        REAL NOT NULL,
    webhook_secret          TEXT NOT NULL,
    created                 TEXT NOT NULL,

    next_crawl              TEXT NOT NULL, -- the due slot, until it is committed
    last_crawl              TEXT,
    failures                INTEGER NOT NULL,
    last_error              TEXT NOT NULL,
    hash                    TEXT NOT NULL,
    version                 INTEGER NOT NULL,
    hosted_url              TEXT NOT NULL,
    sitemap_lastmod         TEXT,
    change_interval_seconds REAL NOT NULL,
    pages                   INTEGER NOT NULL DEFAULT 0,

    token                   INTEGER NOT NULL, -- of the newest lease
    leased_until            TEXT,             -- null: not leased
    wanted                  TEXT,             -- the commit sets next_crawl no later than this

    subject_key             BLOB NOT NULL, -- SHA-256: an index takes no text of any length
    base_key                BLOB NOT NULL,
    UNIQUE (subject_key, base_key)
) STRICT;

CREATE INDEX farwire_sites_due ON farwire_sites (next_crawl, id);
CREATE INDEX farwire_sites_base ON farwire_sites (base_key);

-- The pages that the last crawl left, for conditional requests.
CREATE TABLE farwire_pages (
    site_id       INTEGER NOT NULL REFERENCES farwire_sites ON DELETE CASCADE,
    pos           INTEGER NOT NULL, -- from 0, in the order of the file
    digest        BLOB NOT NULL, -- of what follows: rows that are equal are not written again
    url           TEXT NOT NULL,
    title         TEXT NOT NULL,
    excerpt       TEXT NOT NULL,
    etag          TEXT NOT NULL,
    last_modified TEXT NOT NULL,
    links         TEXT NOT NULL, -- an array of URLs
    rest          BLOB NOT NULL, -- what else there is to a page: JSON, deflated
    PRIMARY KEY (site_id, pos)
) STRICT;

-- One line for each lease that ended in an outcome, with the site as it was
-- afterwards. A slot is a site and the time at which it was due.
CREATE TABLE farwire_recrawls (
    site_id   INTEGER NOT NULL REFERENCES farwire_sites ON DELETE CASCADE,
    token     INTEGER NOT NULL,
    due       TEXT NOT NULL,
    committed TEXT NOT NULL,
    error     TEXT NOT NULL, -- empty: the crawl did not fail
    hash      TEXT NOT NULL,
    version   INTEGER NOT NULL,
    pages     INTEGER NOT NULL,
    PRIMARY KEY (site_id, token)
) STRICT;

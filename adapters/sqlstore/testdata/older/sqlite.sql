-- What programs before goose have made of their first migration, and two sites.
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

CREATE TABLE farwire_migrations (version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO farwire_migrations (version, name) VALUES (1, '0001_sites.sql');

INSERT INTO farwire_sites (id, subject, base_url, options, interval_seconds, webhook_secret, created,
    next_crawl, last_crawl, failures, last_error, hash, version, hosted_url, sitemap_lastmod, change_interval_seconds, pages,
    token, leased_until, wanted, subject_key, base_key) VALUES
    (1, 'alice', 'https://docs.example.com/', '{"max_pages":7,"desc_length":300,"format":"index","enhance":false,"remote":false}', 3600.0, 'hush', '2026-01-02 03:04:05.000000Z', '2026-02-01 00:00:00.000000Z', NULL, 0, '', 'ab', 6, 'https://files.example.com/a.txt', NULL, 0.0, 0, 6, NULL, NULL, x'2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90', x'dc3d488a4e9dcf7f7d4339f4d7fe7a1a47b45d5acab8509356d17edc280c00bd'),
    (2, 'bob', 'https://docs.example.com/', '{"max_pages":7,"desc_length":300,"format":"index","enhance":false,"remote":false}', 3600.0, 'hush', '2026-01-02 03:04:05.000000Z', '2026-02-02 00:00:00.000000Z', NULL, 2, 'HTTP 503', 'ab', 6, 'https://files.example.com/a.txt', NULL, 0.0, 0, 6, '2026-02-03 00:00:00.000000Z', NULL, x'81b637d8fcd2c6da6359e6963113a1170de795e4b725b84d1e0b4cfd9ec58ce9', x'dc3d488a4e9dcf7f7d4339f4d7fe7a1a47b45d5acab8509356d17edc280c00bd');
INSERT INTO farwire_recrawls (site_id, token, due, committed, error, hash, version, pages)
    VALUES (1, 6, '2026-01-31 00:00:00.000000Z', '2026-01-31 00:00:01.000000Z', '', 'ab', 6, 0);

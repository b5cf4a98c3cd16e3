-- +goose Up

-- When the last crawl that failed began: webhooks have a site crawled once a minute, at any gateway.
ALTER TABLE farwire_sites ADD COLUMN last_failure TEXT;

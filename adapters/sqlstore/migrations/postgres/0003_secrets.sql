-- +goose Up

-- What gateways that share this database agree on and tell nobody.
CREATE TABLE farwire_secrets (
    name  TEXT  NOT NULL PRIMARY KEY,
    value BYTEA NOT NULL
);

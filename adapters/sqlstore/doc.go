// Package sqlstore remembers enrolled sites in SQLite or PostgreSQL. It is the
// [farwire.SiteStore] of the program farwire, and of hosts that want one:
//
//	sites, err := sqlstore.Open(ctx, os.Getenv("DATABASE_URL"))
//	...
//	defer sites.Close()
//	gw, err := farwire.New(farwire.Options{Sites: sites, Storage: files})
//
// SQLite is for the gateways of one machine, which may be several processes on
// one file. PostgreSQL is for gateways on many machines. Both do the same, and
// what package sitetest asks of a store is asked of both.
//
// # The tables
//
//	farwire_sites ─┬─< farwire_pages      the pages of its last crawl
//	               └─< farwire_recrawls   its log: one line an outcome
//	farwire_migrations                    what Open has done to the schema
//
// They are made to be looked at: times are times in UTC, durations are seconds,
// links are JSON, and a text is the text, except that each byte that no
// database takes is written as U+FFFD and its two hexadecimal digits. Only
// farwire_pages.rest is for the program alone: what a page has beside its
// columns, as deflated JSON.
//
// # Leases
//
// A lease is two columns of its site: token, which tells it from all others, and
// leased_until. next_crawl stays the time of the slot that is being worked until
// Commit moves it on, so nothing has to be mended after a worker that has died:
// once leased_until has passed, the site is due as it was. Whatever is done
// under a lease is one statement or one transaction that finds the row by id,
// token and an end that has not come, or else changes nothing. A
// request for another crawl that comes during a lease waits in the column wanted,
// and Commit obeys it. One that comes before is next_crawl itself. The column called
// says whose time next_crawl is:
//
//	TRUE    somebody asked for it, and a claim alone serves that
//	FALSE   the site's own
//	NULL    an enrolment's, until its outcome, a claim or a request
//
// An enrolment, whose crawl may have begun before a request, puts it into wanted.
//
// The clock is the server's in PostgreSQL and the machine's with SQLite, never
// that of one worker among several machines.
//
// A site's tokens grow by one, from a first one that is the microsecond of its
// enrolment. So they are above all that the site ever had, even if it was
// removed in between or the database was replaced by a new one, and the storage,
// which refuses files with an older version than it has, takes its files. Only a
// database that has been restored from a backup needs a statement by hand, see
// docs/operating.md.
package sqlstore

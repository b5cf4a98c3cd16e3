// Package pace says when a site is crawled again, and when what has failed is
// tried again.
package pace

import (
	"math/rand/v2"
	"time"
)

// weight is that of the changes before the newest one, in the average.
const weight = 3

// longest keeps the sums below within a time.Duration.
const longest = 100 * 365 * 24 * time.Hour

// Average returns the average time between the changes of a site that has been
// crawled once more, passed after the crawl before, from what it was until then.
// It is exponentially weighted: the time between the last two changes, T, makes
// (weight × average + T) / (weight + 1) of the average. The time between two
// changes goes into it piece by piece, with every crawl that sees none, so that
// the average of a site that has come to rest grows without another change to
// tell it.
func Average(average, passed time.Duration, changed bool) time.Duration {
	average = min(average, longest) + min(max(passed, 0), longest)/weight
	if changed {
		average = average / (weight + 1) * weight
	}
	return average
}

// Retry returns how long to wait after as many failures in a row. It doubles from
// a minute to the site's interval, which counts as an hour at least and a day at
// most; give or take a quarter.
func Retry(failures int, interval time.Duration) time.Duration {
	d := min(time.Minute<<min(failures-1, 20), min(max(interval, time.Hour), 24*time.Hour))
	return d*3/4 + rand.N(d/2)
}

// MaxBackoff is the mean of the longest waits that Backoff returns.
const MaxBackoff = 5 * time.Second

// Backoff returns how long to wait after as many failures in a row of a service:
// from a tenth of a second to five seconds, never twice the same.
func Backoff(failures int) time.Duration {
	d := min(MaxBackoff, 100*time.Millisecond<<min(failures-1, 10))
	return d*3/4 + rand.N(d/2)
}

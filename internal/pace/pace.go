// Package pace says when a site is crawled again, and when what has failed is
// tried again.
package pace

import (
	"time"

	"github.com/cenkalti/backoff/v5"
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
	waits := backoff.ExponentialBackOff{InitialInterval: time.Minute, Multiplier: 2, RandomizationFactor: quarter,
		MaxInterval: min(max(interval, time.Hour), 24*time.Hour)}
	wait := waits.NextBackOff()
	for range min(failures-1, 20) {
		wait = waits.NextBackOff()
	}
	return wait
}

// quarter is by how much a wait is more or less, so that nobody waits in step.
const quarter = 0.25

// MaxBackoff is the mean of the longest waits of a Backoff.
const MaxBackoff = 5 * time.Second

// Backoff returns the waits after failures in a row of a service: from a tenth of a
// second to five seconds, give or take a quarter. It is reset when the service answers.
func Backoff() *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{InitialInterval: 100 * time.Millisecond, Multiplier: 2, RandomizationFactor: quarter, MaxInterval: MaxBackoff}
}

package redislimit_test

import (
	"context"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/redislimit"
	"github.com/farwire/farwire/internal/harness"
)

// quota asks what is left, or takes a request.
func quota(t *testing.T, ask func(context.Context, farwire.Principal, farwire.Bucket) (farwire.Quota, error), p farwire.Principal, b farwire.Bucket) farwire.Quota {
	t.Helper()
	q, err := ask(t.Context(), p, b)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// wantApart has a limiter count both buckets of a principal, each by its own burst.
func wantApart(t *testing.T, l *redislimit.Limiter, p farwire.Principal, requests, http int) {
	t.Helper()
	for i := range max(requests, http) + 1 {
		for b, burst := range map[farwire.Bucket]int{farwire.BucketRequests: requests, farwire.BucketHTTP: http} {
			left := max(0, burst-i-1)
			if q := quota(t, l.Take, p, b); q.Limit != burst || q.Remaining != left || (q.RetryAfter > 0) != (i >= burst) {
				t.Errorf("%s, request %d: %+v", b, i, q)
			}
			if q := quota(t, l.Left, p, b); q.Limit != burst || q.Remaining != left {
				t.Errorf("%s, left after %d: %+v", b, i, q)
			}
		}
	}
}

// twoRates has a burst for each bucket, and hardly anything after it.
func twoRates(requests, http int) farwire.Principal {
	return caller(farwire.Limits{Rate: 1e-6, Burst: requests, HTTPRate: 1e-6, HTTPBurst: http})
}

func TestBuckets_OfOneKey_DoNotCountForEachOther(t *testing.T) {
	wantApart(t, open(t, harness.Redis(t), redislimit.Options{}), twoRates(2, 4), 2, 4)
}

func TestBuckets_RedisUnavailable_EachHasItsShare(t *testing.T) {
	s := harness.Redis(t)
	s.Kill()
	wantApart(t, open(t, s, redislimit.Options{Gateways: 3}), twoRates(6, 12), 2, 4)
}

// A gateway of an earlier version counts the requests of BucketHTTP under another key
// id; both must count together while a cluster is replaced.
func TestBuckets_NamesInRedis_AreThoseOfEarlierVersions(t *testing.T) {
	s := harness.Redis(t)
	l := open(t, s, redislimit.Options{})
	p := twoRates(5, 5)
	before := p
	before.KeyID += "/http"
	quota(t, l.Take, before, farwire.BucketRequests)
	if q := quota(t, l.Take, p, farwire.BucketHTTP); q.Remaining != 3 {
		t.Errorf("after a request of an earlier version: %+v", q)
	}
	// The first 16 bytes of the SHA-256 of 8 bytes of length, "alice" and "k1/http".
	if name := onlyKey(t, admin(t, s), ""); name != "farwire:rate:cgYmFh21cxGifDXknTMmEA" {
		t.Errorf("the key is called %q", name)
	}
}

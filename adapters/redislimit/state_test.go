package redislimit_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/redislimit"
	"github.com/farwire/farwire/internal/harness"
)

// TestKeys_CallerIdle_Expire finds nothing of a caller who has not called for a while, and
// never forgets one too soon.
func TestKeys_CallerIdle_Expire(t *testing.T) {
	s := harness.Redis(t)
	l, c := open(t, s, redislimit.Options{}), admin(t, s)
	for range 5 {
		take(t, l, caller(farwire.Limits{Rate: 0.01, Burst: 10}))
	}
	life, err := c.PTTL(t.Context(), onlyKey(t, c, "farwire:rate:")).Result()
	if err != nil || life < 400*time.Second || life > 502*time.Second {
		t.Errorf("five requests at one in 100 s are remembered for %v, %v", life, err)
	}
	takePages(t, l, caller(farwire.Limits{PagesPerDay: 10}), 3)
	life, err = c.PTTL(t.Context(), onlyKey(t, c, "farwire:pages:")).Result()
	if err != nil || life < 24*time.Hour+15*time.Minute || life > 25*time.Hour {
		t.Errorf("pages are remembered for %v, %v", life, err)
	}
}

// TestTake_InvalidState_BeginsAnew begins anew where the key holds what no script left there,
// and does not wait for a clock that was set back.
func TestTake_InvalidState_BeginsAnew(t *testing.T) {
	s := harness.Redis(t)
	l, c := open(t, s, redislimit.Options{}), admin(t, s)
	p := caller(farwire.Limits{Rate: 0.001, Burst: 2})
	take(t, l, p)
	key := onlyKey(t, c, "farwire:rate:")
	set := func(state string) {
		t.Helper()
		if err := c.Set(t.Context(), key, state, time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, state := range []string{"", "x", "x y", "1", "1 2 3", "nan nan", "-5 0", "1e400 0"} {
		set(state)
		if q := take(t, l, p); q.RetryAfter != 0 && state != "1e400 0" {
			t.Errorf("%q: %+v", state, q)
		}
	}
	set(fmt.Sprintf("2 %d", clock(t, c)+time.Hour.Microseconds()))
	for range 2 {
		if q := take(t, l, p); q.RetryAfter < 990*time.Second || q.RetryAfter > 1000*time.Second {
			t.Errorf("after the clock was set back: %+v", q)
		}
	}
	if got := l.Stats(); got.Fallbacks != 0 {
		t.Errorf("stats %+v", got)
	}
}

// TestScripts_ServerForgetsThem_AreSentAgain to a server that has forgotten them.
func TestScripts_ServerForgetsThem_AreSentAgain(t *testing.T) {
	s := harness.Redis(t)
	l, c := open(t, s, redislimit.Options{}), admin(t, s)
	for i := range 5 {
		if q := take(t, l, slow(5)); q.Remaining != 4-i {
			t.Errorf("after %d flushes: %+v", i, q)
		}
		if q := takePages(t, l, caller(farwire.Limits{PagesPerDay: 10}), 1); q.Used != i+1 {
			t.Errorf("after %d flushes: %+v", i, q)
		}
		if err := c.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if got := l.Stats(); got.Fallbacks != 0 {
		t.Errorf("stats %+v", got)
	}
}

// TestTake_RedisCluster_TouchesOneKey runs on a Redis Cluster, where a script may touch one key only.
func TestTake_RedisCluster_TouchesOneKey(t *testing.T) {
	// Left alone, the second port is 10,000 above the first, where it may be taken.
	second, err := harness.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	s := harness.Redis(t, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(second[0]))
	c := admin(t, s)
	if err := c.ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the cluster is up", func() bool {
		return strings.Contains(c.ClusterInfo(t.Context()).Val(), "cluster_state:ok")
	})
	cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{s.Addr}})
	defer cluster.Close()
	l, err := redislimit.New(cluster, redislimit.Options{Timeout: testTimeout})
	if err != nil {
		t.Fatal(err)
	}
	if n := passes(t, l, slow(4)); n != 4 {
		t.Errorf("%d passed", n)
	}
	if q := takePages(t, l, caller(farwire.Limits{PagesPerDay: 10}), 20); q.Granted != 10 {
		t.Errorf("pages: %+v", q)
	}
	if got := l.Stats(); got.Fallbacks != 0 || got.Shared != 6 {
		t.Errorf("stats %+v", got)
	}
	if err := l.Close(); err != nil || cluster.Ping(t.Context()).Err() != nil {
		t.Error("Close closed the host's client")
	}
}

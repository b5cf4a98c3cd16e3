package farwire_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire"
)

func (w *world) bytesOfDay(t *testing.T, key string) (today, limit int64) {
	t.Helper()
	resp := w.do("GET", "/usage", "X-API-Key: "+key)
	var u struct {
		Bytes struct{ Today, Limit *int64 }
	}
	if err := json.NewDecoder(resp.Body).Decode(&u); err != nil {
		t.Fatal(err)
	}
	today, limit = -1, -1
	if u.Bytes.Today != nil {
		today = *u.Bytes.Today
	}
	if u.Bytes.Limit != nil {
		limit = *u.Bytes.Limit
	}
	return today, limit
}

// Past the bytes of a day the next session is refused, whatever begins it; one that
// runs goes on, and what it carries counts meanwhile.
func TestBytesPerDay_UsedUp_NextSessionIsRefused(t *testing.T) {
	for _, s := range surfaces {
		if s.kind == "" {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			w, _, target := newLimited(t, farwire.Limits{Rate: -1, BytesPerDay: 100})
			p := w.connected(target, "")
			p.text(strings.Repeat("x", 40))
			p.wantText(strings.Repeat("x", 40))
			// A byte is counted a moment after it has crossed.
			waitFor(t, func() bool {
				today, limit := w.bytesOfDay(t, testKey)
				return today == 80 && limit == 100
			})
			second := w.connected(target, "") // 20 are left
			p.text("0123456789")
			p.wantText("0123456789")
			waitFor(t, func() bool { today, _ := w.bytesOfDay(t, testKey); return today == 100 })
			r := s.call(w, testKey, target)
			wait, _ := strconv.Atoi(r.header.Get("Retry-After"))
			switch {
			case r.text != "limit reached: 100 bytes a day; try again in "+hours(t, r.text):
				t.Errorf("refused with %q", r.text)
			case r.status == 0 && r.code != 1008, r.status != 0 && (r.status != http.StatusTooManyRequests || wait < day || wait > day+900):
				t.Errorf("refused with status %d, close code %d, %d s to wait", r.status, r.code, wait)
			}
			// Both still run.
			for _, p := range []*peer{p, second} {
				p.text("goes on")
				p.wantText("goes on")
				p.close(1000, "")
				p.wantClose(1000, "")
			}
			waitFor(t, func() bool { return running(w.gw) == 0 })
			if today, _ := w.bytesOfDay(t, testKey); today != 100+2*(7+7)+2*(2+2) {
				t.Errorf("usage: %d bytes, want 136 when all have ended", today)
			}
		})
	}
}

const day = 24 * 60 * 60 // seconds

// hours takes the time to wait, which hangs on the clock, out of a refusal.
func hours(t *testing.T, text string) string {
	t.Helper()
	_, wait, _ := strings.Cut(text, "try again in ")
	d, err := time.ParseDuration(wait)
	if err != nil || d < 24*time.Hour || d > 24*time.Hour+16*time.Minute {
		t.Errorf("%q says nothing of when bytes are free again", text)
	}
	return wait
}

func running(g *farwire.Gateway) (n int) {
	for range g.Sessions() {
		n++
	}
	return n
}

func TestBytesPerDay_NoLimit_IsNotCounted(t *testing.T) {
	w := newWorld(t)
	if today, limit := w.bytesOfDay(t, testKey); today != -1 || limit != -1 {
		t.Errorf("usage: %d of %d, want null of null", today, limit)
	}
}

// A tally is a host's limiter that counts bytes.
type tally struct {
	farwire.Limiter
	mu   sync.Mutex
	used int64
	told []int64
	err  error
}

func (c *tally) AddBytes(_ context.Context, p farwire.Principal, n int64) (farwire.ByteQuota, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return farwire.ByteQuota{}, c.err
	}
	if n != 0 {
		c.told = append(c.told, n)
	}
	c.used += n
	return farwire.ByteQuota{Used: c.used, RetryAfter: 90 * time.Minute}, nil
}

func (c *tally) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

func (c *tally) read() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprint(c.told)
}

// The limiter hears of running sessions every few seconds, once of each byte, also
// when it could not be told for a while.
func TestBytesPerDay_CountedElsewhere_EachByteCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &tally{Limiter: farwire.NewLimiter()}
		w := newBubble(t, func(conn net.Conn) { echo(upgradeAt(t, conn)) }, func(o *farwire.Options) {
			o.Limiter = c
			o.Limits.BytesPerDay = 1000
		})
		p := w.connected("ws://target.test/", "")
		send := func(n int) {
			p.text(strings.Repeat("x", n))
			p.wantText(strings.Repeat("x", n))
		}
		send(10)
		time.Sleep(11 * time.Second)
		send(20)
		c.fail(errors.New("the tally burns"))
		time.Sleep(6 * time.Second)
		send(30)
		resp := w.try("/ws?url="+escape("ws://target.test/"), "X-API-Key: "+testKey).resp
		if r := httpRefusal(resp); r.status != http.StatusInternalServerError {
			t.Errorf("while nobody counts: %+v, want 500", r)
		}
		c.fail(nil)
		time.Sleep(11 * time.Second)
		if got := c.read(); got != "[20 100]" {
			t.Errorf("told %s, want [20 100]", got)
		}
		send(1)
		p.conn.Close()
		synctest.Wait()
		if err := w.gw.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := c.read(); got != "[20 100 2]" {
			t.Errorf("told %s, want [20 100 2] after Shutdown", got)
		}
		w.wantLog(`daily bytes not counted.*the tally burns`)
	})
}

// Not even 32 bits cut the limit that a refusal names.
func TestBytesPerDay_Refused_NamesTheWholeLimit(t *testing.T) {
	for _, most := range []int64{1, math.MaxInt32, math.MaxInt32 + 1, 5 << 30, 1 << 50} {
		c := &tally{Limiter: farwire.NewLimiter(), used: most}
		w := newWorld(t, func(o *farwire.Options) { o.Limiter, o.Limits.BytesPerDay = c, most })
		r := httpRefusal(w.try("/ws?url="+escape("ws://target.test/"), "X-API-Key: "+testKey).resp)
		if got, want := r.header.Get("X-RateLimit-Limit"), fmt.Sprint(most); r.status != http.StatusTooManyRequests || got != want {
			t.Errorf("refused with %d and a limit of %q, want %s", r.status, got, want)
		}
	}
}

package redislimit_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/redislimit"
	"github.com/farwire/farwire/internal/harness"
)

// lostAnswers has Redis do what it is asked for while on, and no answer arrive.
type lostAnswers struct{ on atomic.Bool }

func (h *lostAnswers) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *lostAnswers) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h *lostAnswers) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if err == nil && h.on.Load() {
			err = errors.New("the answer is lost")
			cmd.SetErr(err)
		}
		return err
	}
}

const gatewaysKey = "farwire:{slots}:gateways"

// Redis forgets a gateway in several ways, and hears of it first by a slot of another
// account. What the gateway ran before counts again.
func TestTakeSlot_ForgottenAndHeardOfByAnotherAccount_TellsAll(t *testing.T) {
	forget := map[string]func(testing.TB, *redis.Client){
		"empty": func(t testing.TB, c *redis.Client) {
			if err := c.FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
		},
		// Another gateway finds it dead and removes what it ran.
		"dead": func(t testing.TB, c *redis.Client) {
			if err := c.Del(t.Context(), gatewaysKey, onlyKey(t, c, "farwire:{slots}:relay")).Err(); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, forget := range forget {
		for _, lost := range []bool{false, true} {
			t.Run(name+map[bool]string{true: ", answer lost"}[lost], func(t *testing.T) {
				t.Parallel()
				s := harness.Redis(t)
				client, answers := admin(t, s), new(lostAnswers)
				client.AddHook(answers)
				l, err := redislimit.New(client, redislimit.Options{Timeout: testTimeout})
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				other := open(t, s, redislimit.Options{})
				if _, taken := takeSlot(t, l, 1); !taken {
					t.Fatal("a free slot was not given")
				}
				waitFor(t, "Redis knows of the slot", func() bool { return !ask(t, other, 1) })
				forget(t, admin(t, s))
				answers.on.Store(lost)
				p := caller(farwire.Limits{})
				p.KeyID = "another"
				if _, taken, err := l.TakeSlot(t.Context(), p, farwire.KindAMQP, 1); err != nil || !taken {
					t.Fatalf("a slot of another account: %v, %v", taken, err)
				}
				answers.on.Store(false)
				waitFor(t, "what runs is counted again", func() bool { return !ask(t, other, 1) })
			})
		}
	}
}

// Each slot that is taken extends the gateway's life, however much of it is left: one
// that holds nothing does not renew it.
func TestTakeSlot_LifeNearlyOver_ExtendsIt(t *testing.T) {
	s := harness.Redis(t)
	l, c := open(t, s, redislimit.Options{}), admin(t, s)
	ask(t, l, 10)
	members, err := c.ZRange(t.Context(), gatewaysKey, 0, -1).Result()
	if err != nil || len(members) != 1 {
		t.Fatalf("gateways %q, %v", members, err)
	}
	for _, left := range []time.Duration{time.Hour, 3 * time.Second, 200 * time.Millisecond, -time.Second} {
		begin := clock(t, c)
		end := redis.Z{Score: float64(begin + left.Microseconds()), Member: members[0]}
		if err := c.ZAdd(t.Context(), gatewaysKey, end).Err(); err != nil {
			t.Fatal(err)
		}
		p := caller(farwire.Limits{})
		p.KeyID = left.String() // an account of which this gateway holds no slot
		if _, taken, err := l.TakeSlot(t.Context(), p, farwire.KindRelay, 10); err != nil || !taken {
			t.Fatalf("a free slot: %v, %v", taken, err)
		}
		until, err := c.ZScore(t.Context(), gatewaysKey, members[0]).Result()
		if err != nil || until < float64(begin+(4*time.Second).Microseconds()) {
			t.Errorf("with %v left, alive for %v µs from then on, %v", left, until-float64(begin), err)
		}
	}
}

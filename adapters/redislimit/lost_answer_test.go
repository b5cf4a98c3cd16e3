package redislimit_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/redislimit"
	"github.com/farwire/farwire/internal/harness"
)

// A loss decides whether a command is sent and whether its answer arrives.
type loss func(send func() error) error

type lossKey struct{}

// losing returns a context whose commands have the loss l.
func losing(ctx context.Context, l loss) context.Context { return context.WithValue(ctx, lossKey{}, l) }

// lossy is a hook of a client that applies the loss in the context of each command.
type lossy struct{}

func (lossy) DialHook(next redis.DialHook) redis.DialHook { return next }
func (lossy) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (lossy) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		send := func() error { return next(ctx, cmd) }
		// Those that set a connection up have the context too.
		if l, ok := ctx.Value(lossKey{}).(loss); ok && strings.HasPrefix(cmd.Name(), "eval") {
			if err := l(send); err != nil {
				return err
			}
			return ctx.Err() // the answer comes too late
		}
		return send()
	}
}

func notSent(func() error) error {
	return &net.OpError{Op: "dial", Err: errors.New("connection refused")}
}

func answerLost(send func() error) error {
	return errors.Join(send(), &net.OpError{Op: "read", Err: errors.New("connection reset")})
}

// openLossy opens a Limiter over a lossy client. Redis has loaded the scripts already.
func openLossy(t *testing.T, s *harness.Server) *redislimit.Limiter {
	t.Helper()
	warm := open(t, s, redislimit.Options{Prefix: "warm:"})
	takePages(t, warm, caller(farwire.Limits{PagesPerDay: 1}), 0)
	ask(t, warm, 1)
	client := admin(t, s)
	client.AddHook(lossy{})
	l, err := redislimit.New(client, redislimit.Options{Timeout: testTimeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() }) // before the client
	return l
}

func askedAgain(t *testing.T, l *redislimit.Limiter) {
	t.Helper()
	waitFor(t, "Redis is asked again", func() bool { take(t, l, slow(10)); return !l.Stats().Unavailable })
}

// leaving returns a context that ends when command number n has been sent, before its answer
// comes.
func leaving(t *testing.T, n int) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return losing(ctx, func(send func() error) error {
		if n--; n == 0 {
			defer cancel()
		}
		return send()
	})
}

// Bytes that Redis has not got are counted later, those that it may have got are not counted
// twice, also those of a caller that leaves meanwhile.
func TestAddBytes_CommandOrAnswerLost_CountsOnce(t *testing.T) {
	s := harness.Redis(t)
	l := openLossy(t, s)
	p := caller(farwire.Limits{BytesPerDay: 1000})
	add := func(ctx context.Context, n int64) farwire.ByteQuota {
		t.Helper()
		q, err := l.AddBytes(ctx, p, n)
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	add(losing(t.Context(), notSent), 30)
	askedAgain(t, l)
	if q := add(leaving(t, 1), 5); q.Used != 35 {
		t.Errorf("the caller left: %+v, want 35 used", q)
	}
	if q := add(t.Context(), 1); q.Used != 36 || q.RetryAfter != 0 {
		t.Errorf("not sent: %+v, want 36 used", q)
	}
	add(losing(t.Context(), answerLost), 100)
	askedAgain(t, l)
	if q := add(t.Context(), 0); q.Used != 136 {
		t.Errorf("answer lost: %+v, want 136 used", q)
	}
	// A limit that is reached, and nobody can say until when.
	commands := 0
	q := add(losing(t.Context(), func(send func() error) error {
		if commands++; commands > 1 {
			return answerLost(send)
		}
		return send()
	}), 864)
	if q.Used != 1000 || q.RetryAfter <= 0 || q.RetryAfter > time.Hour {
		t.Errorf("limit reached: %+v", q)
	}
	askedAgain(t, l)
	for i := range 2 {
		if q := add(leaving(t, i+1), 0); q.Used != 1000 || q.RetryAfter < 24*time.Hour {
			t.Errorf("the caller left at command %d: %+v", i+1, q)
		}
	}
}

// Pages are given back once; those that Redis has not got are given back with a later crawl. A
// caller that leaves can give back what Redis has granted.
func TestTakePages_CommandOrAnswerLost_GivesBackOnce(t *testing.T) {
	s := harness.Redis(t)
	l := openLossy(t, s)
	p := caller(farwire.Limits{PagesPerDay: 100})
	take := func(ctx context.Context, want int) farwire.PageQuota {
		t.Helper()
		q, err := l.TakePages(ctx, p, want)
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	q := take(t.Context(), 100)
	if err := q.Return(losing(t.Context(), notSent), 0); err != nil || l.Stats().Unavailable {
		t.Errorf("none are given back: %v, %+v", err, l.Stats())
	}
	if err := q.Return(losing(t.Context(), notSent), 30); err != nil {
		t.Error(err)
	}
	if local := take(t.Context(), 1000); local.Granted != 100 { // its own; those to give back wait
		t.Errorf("meanwhile: %+v", local)
	}
	askedAgain(t, l)
	left := take(leaving(t, 1), 10)
	if left.Granted != 10 || left.Used != 80 {
		t.Errorf("not sent, and the caller left: %+v, want 10 granted, 80 used", left)
	}
	if err := left.Return(leaving(t, 1), 10); err != nil {
		t.Error(err)
	}
	if q := take(t.Context(), 0); q.Used != 70 {
		t.Errorf("afterwards: %+v, want 70 used", q)
	}
	if err := q.Return(losing(t.Context(), answerLost), 20); err == nil {
		t.Error("nobody says that Redis may not have got it")
	}
	askedAgain(t, l)
	if q := take(t.Context(), 1000); q.Granted != 50 {
		t.Errorf("answer lost: %+v, want 50 granted", q)
	}
}

// A slot that a gateway has released is free at once when the gateway closes, and so is one
// that was taken for a caller that left before the answer came.
func TestTakeSlot_GatewayCloses_NothingStaysTaken(t *testing.T) {
	for name, hold := range map[string]func(t *testing.T, l *redislimit.Limiter){
		"released": func(t *testing.T, l *redislimit.Limiter) {
			if !ask(t, l, 1) {
				t.Fatal("not taken")
			}
		},
		"the caller left": func(t *testing.T, l *redislimit.Limiter) {
			ctx, cancel := context.WithCancel(t.Context())
			ctx = losing(ctx, func(send func() error) error { defer cancel(); return send() })
			if _, taken, err := l.TakeSlot(ctx, caller(farwire.Limits{}), farwire.KindRelay, 1); taken || !errors.Is(err, context.Canceled) {
				t.Fatal(taken, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := harness.Redis(t)
			l, other := openLossy(t, s), open(t, s, redislimit.Options{})
			hold(t, l)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if !ask(t, other, 1) {
				t.Error("the slot is still taken")
			}
		})
	}
}

// A caller that waits for another's answer about the same account stops when its context ends.
func TestTakeSlot_AnotherIsAsking_WaitEndsWithTheContext(t *testing.T) {
	s := harness.Redis(t)
	l := openLossy(t, s)
	asking, over, answered := make(chan struct{}), make(chan struct{}), make(chan error)
	take := func(ctx context.Context) error {
		_, _, err := l.TakeSlot(ctx, caller(farwire.Limits{}), farwire.KindRelay, 2)
		return err
	}
	go func() {
		answered <- take(losing(t.Context(), func(send func() error) error { close(asking); <-over; return send() }))
	}()
	<-asking
	ctx, cancel := context.WithCancel(t.Context())
	waiting := make(chan error)
	go func() { waiting <- take(ctx) }()
	cancel()
	if err := <-waiting; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(over)
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

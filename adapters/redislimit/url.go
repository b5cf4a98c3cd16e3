package redislimit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"runtime"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Open returns a Limiter on a Redis that a URL names:
// redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], rediss:// for TLS, or
// unix://[[USER]:PASSWORD@]PATH. Special characters in a password are
// percent-encoded. No error holds any part of the URL. It opens no connection
// yet; the caller closes the Limiter.
//
// The client that it makes gives up soon and retries little, as a Limiter has
// it. go-redis keeps one log for all the clients of a process, by default on
// standard error; Open turns it to Options.Logger, at level Debug.
func Open(address string, o Options) (*Limiter, error) {
	settings, err := parse(address)
	if err != nil {
		return nil, err
	}
	l, err := New(redis.NewClient(settings), o)
	if err != nil {
		return nil, err
	}
	l.ours = true
	redis.SetLogger(debugLog{l.o.Logger})
	return l, nil
}

var errURL = errors.New("redislimit: not a URL of the form redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]" +
	" with special characters of the password percent-encoded")

// parse makes a client's settings of a URL. What go-redis says of one that it
// cannot read quotes it, password and all, and is not passed on: a password
// with a slash in it may be found anywhere.
func parse(address string) (*redis.Options, error) {
	u, err := url.Parse(address)
	if err != nil || u.Fragment != "" || u.Opaque != "" {
		return nil, errURL
	}
	switch u.Scheme {
	case "redis", "rediss", "unix":
	default:
		return nil, errors.New("redislimit: the scheme of the URL must be redis, rediss or unix")
	}
	s, err := redis.ParseURL(address)
	if err != nil {
		return nil, errURL
	}
	s.ContextTimeoutEnabled = true
	// A request does not wait for these: it has a shorter time of its own.
	// A connection that takes longer to make is there for the next one.
	if s.DialTimeout == 0 {
		s.DialTimeout = 5 * time.Second
	}
	if s.PoolSize == 0 {
		s.PoolSize = max(32, 10*runtime.GOMAXPROCS(0))
	}
	if s.MaxRetries == 0 {
		s.MaxRetries = 1 // the connection may have been closed while it was idle
		s.MinRetryBackoff = -1
	}
	s.DialerRetries = 1
	s.DisableIdentity = true
	s.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return s, nil
}

type debugLog struct{ to *slog.Logger }

func (l debugLog) Printf(ctx context.Context, format string, v ...any) {
	if l.to.Enabled(ctx, slog.LevelDebug) {
		l.to.DebugContext(ctx, fmt.Sprintf(format, v...))
	}
}

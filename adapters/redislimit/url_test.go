package redislimit_test

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/farwire/farwire/adapters/redislimit"
	"github.com/farwire/farwire/internal/harness"
)

var quiet = slog.New(slog.DiscardHandler)

// TestOpen_BadURL_ErrorHoldsNoPartOfIt are refused, and what is said of them gives no part away.
func TestOpen_BadURL_ErrorHoldsNoPartOfIt(t *testing.T) {
	for _, address := range []string{
		"", "s3cret", "localhost:6379", "http://:s3cret@localhost", "redis://:s3cret@localhost/x", "redis://:s3cret@localhost/1/2",
		"redis://:12/s3cret@localhost/0", "redis://:12#s3cret@localhost", "redis://:12?s3cret@localhost", "redis://:s3/cret@localhost",
		"redis://:s3%cret@localhost", "redis://localhost?password=s3cret", "redis://localhost?pool_size=s3cret",
		"redis://localhost?read_timeout=s3cret", "redis:s3cret", "unix://:s3cret@", "redis://:s3cret@local host",
	} {
		l, err := redislimit.Open(address, redislimit.Options{Logger: quiet})
		if err == nil {
			l.Close()
			t.Errorf("%s was taken", address)
		} else if strings.Contains(err.Error(), "cret") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestOpen_WrongPassword_IsNotInTheError opens a server that wants one. Nobody is told the wrong one.
func TestOpen_WrongPassword_IsNotInTheError(t *testing.T) {
	s := harness.Redis(t, "--requirepass", "pass/word@#?")
	right, wrong := "redis://:"+url.QueryEscape("pass/word@#?")+"@"+s.Addr, "redis://:wrong-s3cret@"+s.Addr
	l, err := redislimit.Open(right, redislimit.Options{Timeout: testTimeout, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if take(t, l, slow(1)); l.Stats().Shared != 1 {
		t.Errorf("stats %+v", l.Stats())
	}
	log := new(harness.Log)
	l, err = redislimit.Open(wrong, redislimit.Options{Timeout: testTimeout, Logger: log.Logger()})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if take(t, l, slow(1)); l.Stats().Fallbacks != 1 || log.Count("Redis is unavailable") != 1 || log.Count("WRONGPASS") != 1 {
		t.Errorf("stats %+v; the log says\n%s", l.Stats(), log)
	}
	if err := l.Ping(t.Context()); err == nil || strings.Contains(log.String()+err.Error(), "s3cret") {
		t.Errorf("%v; the log says\n%s", err, log)
	}
}

// TestOpen_TLS_VerifiesTheCertificate verifies the server's certificate unless the URL says otherwise.
func TestOpen_TLS_VerifiesTheCertificate(t *testing.T) {
	s := harness.Redis(t)
	addr := encrypted(t, s.Addr)
	for address, want := range map[string]bool{
		"rediss://" + addr + "?skip_verify=true": true,
		"rediss://" + addr:                       false,
	} {
		l, err := redislimit.Open(address, redislimit.Options{Timeout: testTimeout, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if take(t, l, slow(9)); l.Stats().Unavailable == want {
			t.Errorf("%s: %+v", address, l.Stats())
		}
	}
}

// encrypted returns an address where a server's is to be had over TLS.
func encrypted(t *testing.T, to string) string {
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer near.Close()
				far, err := net.DialTimeout("tcp", to, testTimeout)
				if err != nil {
					return
				}
				defer far.Close()
				all.Go(func() {
					io.Copy(far, near)
					far.Close()
				})
				io.Copy(near, far)
			})
		}
	})
	t.Cleanup(all.Wait)
	t.Cleanup(func() { ln.Close() })
	return ln.Addr().String()
}

func FuzzOpen(f *testing.F) {
	for _, address := range []string{"redis://localhost", "rediss://u:p@[::1]:1/2?pool_size=3", "unix:///run/redis.sock?db=1", "redis://:a/b@c"} {
		f.Add(address)
	}
	f.Fuzz(func(t *testing.T, address string) {
		l, err := redislimit.Open(address, redislimit.Options{Logger: quiet})
		if err == nil {
			l.Close()
			return
		}
		if u, bad := url.Parse(address); bad == nil && u.User != nil {
			if p, ok := u.User.Password(); ok && len(p) > 8 && strings.Contains(err.Error(), p) {
				t.Errorf("%q: %v", address, err)
			}
		}
	})
}

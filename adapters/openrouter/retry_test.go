package openrouter_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/adapters/openrouter"
)

// inMemory is a Model whose requests are answered by say, which is told which
// one it is, from 1.
func inMemory(t *testing.T, o openrouter.Options, say func(n int) (*http.Response, error)) *openrouter.Model {
	t.Helper()
	var n atomic.Int64
	o.APIKey = testKey
	o.HTTPClient = &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { return say(int(n.Add(1))) })}
	m, err := openrouter.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRetry_TemporaryFailure_AsksAgain(t *testing.T) {
	for name, bad := range map[string]func() (*http.Response, error){
		"429": func() (*http.Response, error) { return response(429, nil, `{"error":{"message":"slow down"}}`), nil },
		"408": func() (*http.Response, error) { return response(408, nil, ""), nil },
		"500": func() (*http.Response, error) { return response(500, nil, "<html>"), nil },
		"502": func() (*http.Response, error) { return response(502, nil, ""), nil },
		"503": func() (*http.Response, error) { return response(503, nil, ""), nil },
		"529": func() (*http.Response, error) { return response(529, nil, ""), nil },
		"429 in the body": func() (*http.Response, error) {
			return response(200, nil, `{"error":{"code":429,"message":"slow"}}`), nil
		},
		"connection refused": func() (*http.Response, error) { return nil, errors.New("connection refused") },
		"connection lost":    func() (*http.Response, error) { return nil, io.ErrUnexpectedEOF },
		"an empty answer": func() (*http.Response, error) {
			return response(200, nil, `{"choices":[{"finish_reason":"stop","message":{"content":""}}]}`), nil
		},
		"an answer cut short":  func() (*http.Response, error) { return response(200, nil, wholeAnswer[:20]), nil },
		"a stream that breaks": func() (*http.Response, error) { return response(200, nil, "data: {\"choices\":[]}\n\n"), nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := inMemory(t, openrouter.Options{}, func(n int) (*http.Response, error) {
					if n < 4 {
						return bad()
					}
					return response(200, nil, wholeAnswer), nil
				})
				began := time.Now()
				got, err := m.Enhance(t.Context(), part())
				if err != nil || got != "said\n" {
					t.Fatalf("%q, %v", got, err)
				}
				if d := time.Since(began); d > 7*time.Second { // 1 + 2 + 4
					t.Errorf("after %v", d)
				}
				if s := m.Stats(); s.Requests != 4 || s.Retries != 3 || s.Failed != 0 {
					t.Errorf("%+v", s)
				}
			})
			synctest.Test(t, func(t *testing.T) {
				m := inMemory(t, openrouter.Options{Attempts: 3}, func(int) (*http.Response, error) { return bad() })
				if _, err := m.Enhance(t.Context(), part()); err == nil || m.Stats().Requests != 3 {
					t.Errorf("%v, %+v", err, m.Stats())
				}
			})
		})
	}
}

// Those who were refused together come back apart.
func TestRetry_ManyRefused_WaitDifferently(t *testing.T) {
	pauses := map[time.Duration]bool{}
	for range 10 {
		synctest.Test(t, func(t *testing.T) {
			m := inMemory(t, openrouter.Options{}, func(n int) (*http.Response, error) {
				if n == 1 {
					return response(503, nil, ""), nil
				}
				return response(200, nil, wholeAnswer), nil
			})
			began := time.Now()
			if _, err := m.Enhance(t.Context(), part()); err != nil {
				t.Error(err)
			}
			pauses[time.Since(began)] = true
		})
	}
	if len(pauses) < 5 {
		t.Errorf("only the pauses %v", pauses)
	}
}

func TestRetryAfter_SecondsOrDate_IsWaitedFor(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"9":    9 * time.Second,
		"12.5": 12500 * time.Millisecond,
		"date": 15 * time.Second,
		"soon": 0,
		"-4":   0,
	} {
		t.Run(value, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				header := value
				if value == "date" {
					header = time.Now().Add(want).UTC().Format(http.TimeFormat)
				}
				m := inMemory(t, openrouter.Options{}, func(n int) (*http.Response, error) {
					if n == 1 {
						return response(429, map[string]string{"Retry-After": header}, ""), nil
					}
					return response(200, nil, wholeAnswer), nil
				})
				began := time.Now()
				if _, err := m.Enhance(t.Context(), part()); err != nil {
					t.Fatal(err)
				}
				if d := time.Since(began); d < want || d > want+time.Second {
					t.Errorf("after %v, want %v", d, want)
				}
			})
		})
	}
}

// A wait that outlasts the deadline is not begun.
func TestRetryAfter_BeyondTheDeadline_FailsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := inMemory(t, openrouter.Options{}, func(int) (*http.Response, error) {
			return response(429, map[string]string{"Retry-After": "60"}, ""), nil
		})
		began := time.Now()
		_, err := m.Enhance(t.Context(), part())
		var e *openrouter.Error
		if !errors.As(err, &e) || e.Status != 429 || !strings.Contains(err.Error(), "no time left") || time.Since(began) != 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// A server that never answers costs the part's time and no more, in a pause too.
func TestTimeout_ServerSilent_EndsThePart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := openrouter.New(openrouter.Options{APIKey: testKey, Timeout: 3 * time.Second, HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})}})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := m.Enhance(t.Context(), part()); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		ctx, cancel := context.WithCancel(t.Context())
		m = inMemory(t, openrouter.Options{}, func(int) (*http.Response, error) {
			time.AfterFunc(time.Second, cancel)
			return response(503, map[string]string{"Retry-After": "20"}, ""), nil
		})
		began = time.Now()
		if _, err := m.Enhance(ctx, part()); !errors.Is(err, context.Canceled) || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

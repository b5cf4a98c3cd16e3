package hosttest_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/farwire/farwire/hosttest"
)

// plain wraps a ResponseWriter as middleware often does: without Unwrap.
type plain struct{ http.ResponseWriter }

// counted counts what passes, and has Unwrap.
type counted struct {
	http.ResponseWriter
	n int
}

func (w *counted) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.n += n
	return n, err
}

func (w *counted) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// A host finds out which of the handlers its middleware lets work, and what hides the
// connection from those that do not.
func ExampleCheck() {
	for _, wrap := range []func(http.ResponseWriter) http.ResponseWriter{
		func(w http.ResponseWriter) http.ResponseWriter { return plain{w} },
		func(w http.ResponseWriter) http.ResponseWriter { return &counted{ResponseWriter: w} },
	} {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		err := hosttest.Check(ctx, hosttest.Host{
			Handlers: []hosttest.Handler{hosttest.Relay, hosttest.AMQP},
			Middleware: func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(wrap(w), r) })
			},
		})
		cancel()
		if err == nil {
			fmt.Println("every handler works")
			continue
		}
		fmt.Println(strings.Contains(err.Error(), "relay: "), strings.Contains(err.Error(), "hosttest_test.plain"))
	}
	// Output:
	// true true
	// every handler works
}

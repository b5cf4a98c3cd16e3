package upgrade

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
)

// Flushers are the layers of a ResponseWriter that can be flushed, from the outside
// in: all that Unwrap leads to, because the Flush of some middlewares ends at a writer
// below that has nothing but Unwrap.
type Flushers []func() error

// FlushersOf returns those of w; none: everything is held back until the handler
// returns.
func FlushersOf(w http.ResponseWriter) (all Flushers) {
	for _, layer := range Layers(w) {
		switch f := layer.(type) {
		case interface{ FlushError() error }:
			all = append(all, f.FlushError)
		case http.Flusher:
			all = append(all, func() error { return flush(f) })
		}
	}
	return all
}

// flush calls a Flush that has no error. Some panic where the layer below has no
// Flush of its own.
func flush(f http.Flusher) (err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case *runtime.TypeAssertionError:
			err = fmt.Errorf("%w: %w", http.ErrNotSupported, v) // which names the middleware
		default:
			panic(v)
		}
	}()
	f.Flush()
	return nil
}

// Flush flushes every layer. One that cannot, because of what is below it, is
// followed by one that can. A layer that compresses passes nothing on before the first
// byte of the body, not even the head: until then the layers below must be left alone.
func (all Flushers) Flush() error {
	var failed error = http.ErrNotSupported
	able := false
	for _, f := range all {
		switch err := f(); {
		case err == nil:
			able = true
		case !errors.Is(err, http.ErrNotSupported):
			return err
		default:
			failed = err
		}
	}
	if able {
		return nil
	}
	return failed
}

// Flushing returns w with a flush that reaches every layer once the body has begun,
// for those who flush through http.ResponseController.
func Flushing(w http.ResponseWriter) http.ResponseWriter {
	if _, wraps := w.(interface{ Unwrap() http.ResponseWriter }); !wraps {
		return w // net/http's own
	}
	return &flushing{ResponseWriter: w, layers: FlushersOf(w)}
}

type flushing struct {
	http.ResponseWriter
	layers Flushers
	begun  bool
}

// Unwrap returns what is flushed.
func (w *flushing) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *flushing) Write(b []byte) (int, error) {
	w.begun = w.begun || len(b) > 0
	return w.ResponseWriter.Write(b)
}

// FlushError is for whoever writes, or is kept from writing meanwhile.
func (w *flushing) FlushError() error {
	if !w.begun {
		return http.NewResponseController(w.ResponseWriter).Flush()
	}
	return w.layers.Flush()
}

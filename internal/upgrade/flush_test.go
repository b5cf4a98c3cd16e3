package upgrade_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/farwire/farwire/internal/upgrade"
)

// A wrapper is a middleware's ResponseWriter that has nothing but Unwrap; those below have
// a Flush of one kind each, and note that it was called.
type wrapper struct{ http.ResponseWriter }

func (w wrapper) Unwrap() http.ResponseWriter { return w.ResponseWriter }

type (
	flushes struct { // without an error
		wrapper
		name  string
		calls *[]string
	}
	flushesOr struct {
		wrapper
		name  string
		calls *[]string
		err   error
	}
	asserts struct{ wrapper } // that the layer below has a Flush
	panics  struct{ wrapper }
)

func (w flushes) Flush()              { *w.calls = append(*w.calls, w.name) }
func (w flushesOr) FlushError() error { *w.calls = append(*w.calls, w.name); return w.err }
func (w asserts) Flush()              { w.ResponseWriter.(http.Flusher).Flush() }
func (w panics) Flush()               { panic("boom") }

// bottom is a server's ResponseWriter that cannot be flushed.
type bottom struct{ http.ResponseWriter }

func TestFlushers_LayersOfEachKind_AreFlushedFromTheOutside(t *testing.T) {
	var calls []string
	failed, cannot := errors.New("broken"), fmt.Errorf("of a layer: %w", http.ErrNotSupported)
	base := func() http.ResponseWriter { return bottom{httptest.NewRecorder()} }
	for name, tt := range map[string]struct {
		w     http.ResponseWriter
		calls []string
		err   error
	}{
		"none":          {base(), nil, http.ErrNotSupported},
		"one":           {flushes{wrapper{base()}, "a", &calls}, []string{"a"}, nil},
		"with an error": {flushesOr{wrapper{base()}, "a", &calls, nil}, []string{"a"}, nil},
		"two, one between them has none": {
			flushes{wrapper{wrapper{flushesOr{wrapper{base()}, "b", &calls, nil}}}, "a", &calls}, []string{"a", "b"}, nil},
		"the outer cannot": {flushesOr{wrapper{flushes{wrapper{base()}, "b", &calls}}, "a", &calls, cannot}, []string{"a", "b"}, nil},
		"the inner cannot": {flushes{wrapper{flushesOr{wrapper{base()}, "b", &calls, cannot}}, "a", &calls}, []string{"a", "b"}, nil},
		"all cannot":       {flushesOr{wrapper{asserts{wrapper{base()}}}, "a", &calls, cannot}, []string{"a"}, http.ErrNotSupported},
		"says why":         {flushesOr{wrapper{base()}, "a", &calls, cannot}, []string{"a"}, cannot},
		"fails":            {flushesOr{wrapper{flushes{wrapper{base()}, "b", &calls}}, "a", &calls, failed}, []string{"a"}, failed},
		"fails below":      {flushes{wrapper{flushesOr{wrapper{base()}, "b", &calls, failed}}, "a", &calls}, []string{"a", "b"}, failed},
	} {
		calls = nil
		if err := upgrade.FlushersOf(tt.w).Flush(); !errors.Is(err, tt.err) || !slices.Equal(calls, tt.calls) {
			t.Errorf("%s: %v, flushed %q; want %v, %q", name, err, calls, tt.err, tt.calls)
		}
	}
	defer func() {
		if v := recover(); v != "boom" {
			t.Errorf("a panic of a layer's own became %v", v)
		}
	}()
	upgrade.FlushersOf(panics{wrapper{base()}}).Flush()
}

// Until the body begins what is below the outermost layer is left alone.
func TestFlushing_BodyBegins_EveryLayerIsFlushed(t *testing.T) {
	var calls []string
	recorder := httptest.NewRecorder()
	w := upgrade.Flushing(flushes{wrapper{flushes{wrapper{bottom{recorder}}, "b", &calls}}, "a", &calls})
	for _, step := range []struct {
		write string
		want  []string
	}{
		{"", []string{"a"}}, {"body", []string{"a", "b"}}, {"", []string{"a", "b"}},
	} {
		calls = nil
		if n, err := w.Write([]byte(step.write)); n != len(step.write) || err != nil {
			t.Fatal(n, err)
		}
		if err := http.NewResponseController(w).Flush(); err != nil || !slices.Equal(calls, step.want) {
			t.Errorf("behind %q: %v, flushed %q, want %q", step.write, err, calls, step.want)
		}
	}
	if got := recorder.Body.String(); got != "body" {
		t.Errorf("the body is %q", got)
	}

	failed := errors.New("broken")
	w = upgrade.Flushing(flushesOr{wrapper{bottom{recorder}}, "a", &calls, failed})
	for _, write := range []string{"", "body"} {
		w.Write([]byte(write))
		if err := http.NewResponseController(w).Flush(); err != failed {
			t.Errorf("behind %q: %v", write, err)
		}
	}
	var server http.ResponseWriter = bottom{recorder}
	if upgrade.Flushing(server) != server {
		t.Error("what wraps nothing is wrapped")
	}
}

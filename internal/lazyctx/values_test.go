package lazyctx_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/lazyctx"
)

// The values are kept, wherever they are. Nothing ends the new context, and the cancellable
// contexts above all values are left out.
func TestValues_CancellableContext_IsLeftOut(t *testing.T) {
	valued := context.WithValue(context.Background(), key{}, "value")
	once, cancel := context.WithCancel(valued)
	defer cancel()
	twice, end := context.WithCancelCause(once)
	defer end(nil)
	timed, stop := context.WithTimeout(valued, time.Hour)
	defer stop()
	for name, c := range map[string]struct {
		ctx    context.Context
		layers int
	}{
		"bare": {valued, 0}, "once": {once, 0}, "twice": {twice, 0}, "background": {context.Background(), 0},
		"below a value":   {context.WithValue(twice, name("other"), 1), 2},
		"with a deadline": {timed, 1},
		"of a host's own": {struct{ context.Context }{twice}, 2},
	} {
		got := lazyctx.Values(c.ctx)
		if got.Value(key{}) != c.ctx.Value(key{}) {
			t.Errorf("%s: the value is %v", name, got.Value(key{}))
		}
		end(nil)
		stop()
		if _, ok := got.Deadline(); ok || got.Done() != nil || got.Err() != nil || context.Cause(got) != nil {
			t.Errorf("%s: it ends", name)
		}
		if text := fmt.Sprint(got); strings.Count(text, "WithCancel")+strings.Count(text, "WithDeadline") > c.layers {
			t.Errorf("%s: keeps %s", name, text)
		}
	}
}

type name string

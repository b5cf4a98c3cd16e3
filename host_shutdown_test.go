package farwire_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/farwire/farwire"
)

// deafStorage ignores the end of its context.
type deafStorage struct{ saving, free chan struct{} }

func (s deafStorage) Save(context.Context, farwire.File) (string, error) {
	close(s.saving)
	<-s.free
	return "https://files.test/late", nil
}

// A part of a host that ignores its context keeps its session, and not Shutdown, which
// names the session, whether it has a caller already or not.
func TestShutdown_HostIgnoresItsContext_ReturnsAndNamesTheSession(t *testing.T) {
	for part, c := range map[string]struct {
		options func(o *farwire.Options, called, free chan struct{})
		begin   func(w *world)
		want    string
	}{
		"storage": {func(o *farwire.Options, called, free chan struct{}) { o.Storage = deafStorage{called, free} },
			func(w *world) { w.crawl(fmt.Sprintf(`{"url":%q}`, newSite(w.t, threePages).URL)) }, `kind=crawl subject=\w+`},
		"authenticator": {func(o *farwire.Options, called, free chan struct{}) {
			o.Auth = authFunc(func(context.Context, farwire.Credentials) (farwire.Principal, error) {
				close(called)
				<-free
				return farwire.Principal{}, farwire.ErrUnauthorized
			})
		}, func(w *world) { w.open("/ws").text(`{"apiKey":"the-key-of-somebody","url":"ws://a.test/"}`) }, `kind=relay subject=""`},
	} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			called, free := make(chan struct{}), make(chan struct{})
			w := newWorld(t, func(o *farwire.Options) { c.options(o, called, free) })
			c.begin(w)
			<-called
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := w.gw.Shutdown(ctx); err != context.Canceled {
				t.Errorf("Shutdown returned %v", err)
			}
			w.wantLog(`level=ERROR msg="a session has not ended" after=5s session=\w+ ` + c.want)
			close(free)
			if err := w.gw.Shutdown(t.Context()); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

package farwire_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
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

// watchedBody says when somebody begins to read it.
type watchedBody struct {
	io.ReadCloser
	begun func()
}

func (b watchedBody) Read(p []byte) (int, error) {
	b.begun()
	return b.ReadCloser.Read(p)
}

// A drain does not wait for a body that does not come, in a server without bounds of its
// own either. One endpoint reads the key there, another in a header.
func TestShutdown_BodyWithheld_AnswersThatItDrains(t *testing.T) {
	for name, handler := range map[string]func(*farwire.Gateway) http.Handler{
		"amqp": (*farwire.Gateway).AMQP, "webhook": (*farwire.Gateway).SiteChanged, "token": (*farwire.Gateway).Token,
	} {
		for _, over2 := range []bool{false, true} {
			for _, begun := range []string{"", "{"} {
				t.Run(fmt.Sprintf("%s, HTTP/2 %v, %q", name, over2, begun), func(t *testing.T) {
					t.Parallel()
					w := newGatewayWorld(t, func(o *farwire.Options) { o.Sites = &memorySites{} })
					reading := make(chan struct{})
					read := sync.OnceFunc(func() { close(reading) })
					s := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
						r.Body = watchedBody{r.Body, read}
						handler(w.gw).ServeHTTP(rw, r)
					}))
					s.EnableHTTP2 = over2
					s.StartTLS()
					t.Cleanup(s.Close)
					ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
					defer cancel()
					body, send := io.Pipe()
					defer send.Close()
					req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, body)
					if err != nil {
						t.Fatal(err)
					}
					req.Header.Set("X-API-Key", testKey)
					req.Header.Set("Content-Type", "application/json")
					go io.WriteString(send, begun)
					drained := make(chan error, 1)
					go func() {
						<-reading
						drained <- w.gw.Shutdown(ctx)
					}()
					resp, err := s.Client().Do(req)
					if err != nil {
						t.Fatal(err)
					}
					defer resp.Body.Close()
					var answer struct{ Code string }
					if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != 503 || answer.Code != "draining" || (resp.ProtoMajor == 2) != over2 {
						t.Errorf("%s %s %+v %v", resp.Proto, resp.Status, answer, err)
					}
					if err := <-drained; err != nil {
						t.Errorf("the drain: %v", err)
					}
				})
			}
		}
	}
}

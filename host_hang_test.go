package farwire_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// hangingLimiter is a Limiter of which one method hangs.
type hangingLimiter struct {
	farwire.Limiter
	slots bool // TakeSlot hangs, else Take
	hang  func(context.Context) error
}

func (l hangingLimiter) Take(ctx context.Context, p farwire.Principal, b farwire.Bucket) (farwire.Quota, error) {
	if l.slots {
		return l.Limiter.Take(ctx, p, b)
	}
	return farwire.Quota{}, l.hang(ctx)
}

func (l hangingLimiter) TakeSlot(ctx context.Context, _ farwire.Principal, _ farwire.Kind, _ int) (func(), bool, error) {
	if l.slots {
		return nil, false, l.hang(ctx)
	}
	return func() {}, true, nil
}

// hangEnds are the ways in which a part that hangs ends with its context.
var hangEnds = map[string]func(context.Context) error{
	"with the context's error": func(ctx context.Context) error { return fmt.Errorf("query: %w", ctx.Err()) },
	"with its cause":           func(ctx context.Context) error { return fmt.Errorf("query: %w", context.Cause(ctx)) },
}

// A part of a host that does not answer, as with a database that hangs, is given twenty
// seconds in every kind of session. Nobody is told that the target was late.
func TestHost_PartHangs_IsAnInternalError(t *testing.T) {
	limits := farwire.Limits{Sessions: 9, Streams: 9, Crawls: 9}
	for part, set := range map[string]func(o *farwire.Options, hang func(context.Context) error){
		"authenticator": func(o *farwire.Options, hang func(context.Context) error) {
			o.Auth = authFunc(func(ctx context.Context, _ farwire.Credentials) (farwire.Principal, error) {
				return farwire.Principal{}, hang(ctx)
			})
		},
		"limiter": func(o *farwire.Options, hang func(context.Context) error) {
			o.Limiter = hangingLimiter{farwire.NewLimiter(), false, hang}
		},
		"slots": func(o *farwire.Options, hang func(context.Context) error) {
			o.Limits, o.Limiter = limits, hangingLimiter{farwire.NewLimiter(), true, hang}
		},
		"agent selector": func(o *farwire.Options, hang func(context.Context) error) {
			o.Agents = selectorFunc(func(ctx context.Context, _ agent.Query) (agent.Exit, error) { return agent.Exit{}, hang(ctx) })
		},
	} {
		for how, end := range hangEnds {
			t.Run(part+" ends "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newBubble(t, nil, func(o *farwire.Options) {
						set(o, func(ctx context.Context) error { <-ctx.Done(); return end(ctx) })
					})
					began := time.Now()
					all := w.surfaces().httpRefusalsTo(testKey)
					if took := time.Since(began); took > time.Duration(len(all))*20*time.Second {
						t.Errorf("%d sessions took %v", len(all), took)
					}
					p := w.open("/ws")
					p.ask("ws://target.test/", "")
					p.wantWithin(time.Minute, frame{op: opText, payload: []byte(`{"type":"error","message":"internal error","code":"internal"}`)})
					p.wantClose(1011, "internal error")
					for _, got := range all {
						want := told{got.surface, 500, 0, "internal", "internal error", ""}
						if got.close != 0 {
							want.status, want.close = 0, 1011
						}
						if got != want {
							t.Errorf("got %+v", got)
						}
					}
					logged := part
					if part == "slots" {
						logged = "limiter"
					}
					w.wantLog(logged + ": query: ")
				})
			})
		}
	}
}

// A crawl asks for its exit on behalf of the first request, whose own time is as long. With
// less time in all, and more, the selector is at fault and not the site.
func TestHost_SelectorHangsInCrawl_IsAnInternalError(t *testing.T) {
	for how, end := range hangEnds {
		for _, most := range []time.Duration{5 * time.Second, time.Minute} {
			t.Run(fmt.Sprintf("%s, crawl of %v", how, most), func(t *testing.T) {
				crawlBubble(t, threePages, func(t *testing.T, w *world) {
					p := w.crawl(inMemory)
					var said string
					elapsed(t, min(most, 20*time.Second), func() {
						for !strings.Contains(said, `"type":"error"`) {
							f, err := p.nextWithin(time.Minute)
							if err != nil {
								t.Fatal(err)
							}
							if f.op == opPing {
								p.frame(opPong, true, f.payload)
							}
							said = string(f.payload)
						}
					})
					if !strings.Contains(said, `"content":"internal error","reason":"internal"`) {
						t.Errorf("told %s", said)
					}
					w.wantLog("agent selector: query: ")
				}, func(o *farwire.Options) {
					o.Crawl.Timeout = most
					o.Agents = selectorFunc(func(ctx context.Context, _ agent.Query) (agent.Exit, error) {
						<-ctx.Done()
						return agent.Exit{}, end(ctx)
					})
				})
			})
		}
	}
}

// A client that leaves meanwhile is not waited for.
func TestHost_SelectorHangsInCrawl_ClientLeaves_EndsAtOnce(t *testing.T) {
	asked := make(chan struct{})
	crawlBubble(t, threePages, func(t *testing.T, w *world) {
		p := w.crawl(inMemory)
		<-asked
		p.conn.Close()
		elapsed(t, time.Millisecond, func() {
			for ok := true; ok; ok = w.gw.Stats().Kinds[farwire.KindCrawl].Active > 0 {
				time.Sleep(time.Millisecond)
			}
		})
		w.wantLog("ended_by=client")
	}, func(o *farwire.Options) {
		o.Agents = selectorFunc(func(ctx context.Context, _ agent.Query) (agent.Exit, error) {
			close(asked)
			<-ctx.Done()
			return agent.Exit{}, ctx.Err()
		})
	})
}

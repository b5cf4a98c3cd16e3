package openrouter_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farwire/farwire/adapters/openrouter"
	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/llmstxt"
)

func TestEnhance_Part_SendsTheRequest(t *testing.T) {
	a := newAPI(t, func(w http.ResponseWriter, _ *http.Request, _ int) { says(w, "# Better\n") })
	m := a.model(t)
	for range 2 {
		p := part()
		p.Pages[0].Text = strings.Repeat("x", len(a.asked())) + p.Pages[0].Text
		got, err := m.Enhance(ctx(t), p)
		if err != nil || got != "# Better\n" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	asks := a.asked()
	first := asks[0]
	if first.Model != "x-ai/grok-4.1-fast" || first.Temperature == nil || *first.Temperature != 0 || first.MaxTokens != 8000 || !first.Stream ||
		len(first.Messages) != 2 || first.Messages[0].Role != "system" || first.Messages[1].Role != "user" {
		t.Fatalf("asked %+v", first)
	}
	system, user := first.Messages[0].Content, first.Messages[1].Content
	if !strings.Contains(system, "a text below 500") || !strings.Contains(system, "## <title of a page>") || strings.Contains(system, "docs.example") {
		t.Errorf("instructions:\n%s", system)
	}
	word := strings.TrimPrefix(strings.SplitN(user, "\n", 2)[0], "The word is ")
	want := strings.NewReplacer("WORD", word).Replace(`The word is WORD

BEGIN FILE WORD
# Example

> https://docs.example/

## Start

> https://docs.example/start

How to start.
END FILE WORD

BEGIN PAGE WORD
https://docs.example/start

Start
How to start, in many words.
END PAGE WORD

No more data after WORD. Answer with the edited file alone.
`)
	if user != want || len(word) < 20 {
		t.Errorf("data:\n%s", user)
	}
	// Nobody can foresee the word of the next request.
	if strings.Contains(asks[1].Messages[1].Content, word) || asks[1].Messages[0].Content != system {
		t.Error("the second request has the word of the first, or other instructions")
	}
	if got := m.Stats(); got != (openrouter.Stats{Parts: 2, Requests: 2, PromptTokens: 200, CompletionTokens: 14, Cost: 0.5}) {
		t.Errorf("%+v", got)
	}
}

func TestInstructions_IndexLayout_DescribeIt(t *testing.T) {
	a := newAPI(t, func(w http.ResponseWriter, _ *http.Request, _ int) { says(w, "said") })
	p := part()
	p.Layout, p.TextLimit = "index", 0
	if _, err := a.model(t).Enhance(ctx(t), p); err != nil {
		t.Fatal(err)
	}
	if s := a.asked()[0].Messages[0].Content; !strings.Contains(s, "- [<title without square brackets>]") || strings.Contains(s, "a text below") {
		t.Errorf("instructions:\n%s", s)
	}
}

func TestNew_BadOption_NamesTheField(t *testing.T) {
	for field, o := range map[string]openrouter.Options{
		"APIKey: empty":              {},
		"APIKey: empty ":             {APIKey: " \n"},
		"APIKey: has characters":     {APIKey: "secret\nX-Other: header"},
		"BaseURL: not an address":    {APIKey: testKey, BaseURL: "openrouter.ai/api/v1"},
		"BaseURL: not an address; ":  {APIKey: testKey, BaseURL: "ftp://openrouter.ai/"},
		"BaseURL: has credentials":   {APIKey: testKey, BaseURL: "https://me:secret@llm.example/v1"},
		"BaseURL: has credentials, ": {APIKey: testKey, BaseURL: "https://llm.example/v1?key=secret"},
		"MaxConcurrent: -1":          {APIKey: testKey, MaxConcurrent: -1},
		"TokenBudget: 100":           {APIKey: testKey, TokenBudget: 100},
		"Attempts: -1":               {APIKey: testKey, Attempts: -1},
		"Timeout: -1s":               {APIKey: testKey, Timeout: -time.Second},
		"Extra: ":                    {APIKey: testKey, Extra: map[string]any{"f": func() {}}},
	} {
		m, err := openrouter.New(o)
		if m != nil || err == nil || !strings.HasPrefix(err.Error(), "openrouter: Options."+strings.TrimSpace(field)) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", field, err)
		}
	}
	m, err := openrouter.New(openrouter.Options{APIKey: testKey + "\n"})
	if err != nil || m.PartSize() != 30_000 {
		t.Errorf("%v, %d", err, m.PartSize())
	}
}

func TestEnhance_ExtraFields_AreSent(t *testing.T) {
	bodies := make(chan string, 1)
	m, err := openrouter.New(openrouter.Options{APIKey: testKey, HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		b := make([]byte, 1<<16)
		n, _ := r.Body.Read(b)
		bodies <- string(b[:n])
		return response(200, nil, wholeAnswer), nil
	})}, Extra: map[string]any{"provider": map[string]string{"data_collection": "deny"}, "max_tokens": nil, "max_completion_tokens": 9, "temperature": 1}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Enhance(ctx(t), part()); err != nil {
		t.Fatal(err)
	}
	b := <-bodies
	if !strings.Contains(b, `"provider":{"data_collection":"deny"}`) || strings.Contains(b, `"max_tokens"`) || !strings.Contains(b, `"max_completion_tokens":9`) ||
		!strings.Contains(b, `"temperature":1`) {
		t.Errorf("body %s", b)
	}
}

// The key goes to the address it is for, whoever sends it elsewhere.
func TestEnhance_Redirect_IsNotFollowed(t *testing.T) {
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if n > 1 {
			t.Error("followed")
		}
		http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
	})
	_, err := a.model(t).Enhance(ctx(t), part())
	var e *openrouter.Error
	if !errors.As(err, &e) || e.Status != http.StatusTemporaryRedirect {
		t.Error(err)
	}
}

// Each answer is paid for once: what changes is asked for again, and nothing
// else.
func TestCache_PartUnchanged_IsNotAskedAgain(t *testing.T) {
	a := newAPI(t, func(w http.ResponseWriter, _ *http.Request, n int) { says(w, strings.Repeat("x", n)) })
	m := a.model(t)
	enhance := func(m *openrouter.Model, p llmstxt.Part, want string) {
		t.Helper()
		got, err := m.Enhance(ctx(t), p)
		if err != nil || got != want+"\n" {
			t.Fatalf("%q, %v; want %q", got, err, want)
		}
	}
	enhance(m, part(), "x")
	enhance(m, part(), "x")
	for i, change := range []func(*llmstxt.Part){
		func(p *llmstxt.Part) { p.Text += " " },
		func(p *llmstxt.Part) { p.Pages[0].Text += "!" },
		func(p *llmstxt.Part) { p.Pages[0].URL += "?" },
		func(p *llmstxt.Part) { p.Layout = "index" },
		func(p *llmstxt.Part) { p.TextLimit++ },
	} {
		p := part()
		change(&p)
		enhance(m, p, strings.Repeat("x", i+2))
		enhance(m, p, strings.Repeat("x", i+2))
	}
	if s := m.Stats(); s.Requests != 6 || s.Cached != 6 || s.Parts != 12 {
		t.Errorf("%+v", s)
	}
	// Another model answers otherwise, whose cache it may be.
	shared := openrouter.Memory(1 << 20)
	for i, change := range []func(*openrouter.Options){
		func(*openrouter.Options) {},
		func(o *openrouter.Options) { o.Model = "other" },
		func(o *openrouter.Options) { o.Extra = map[string]any{"seed": 1} },
	} {
		m := a.model(t, func(o *openrouter.Options) { o.Cache = shared }, change)
		enhance(m, part(), strings.Repeat("x", 7+i))
	}
	enhance(a.model(t, func(o *openrouter.Options) { o.Cache = shared }), part(), strings.Repeat("x", 7))
}

// brokenCache fails.
type brokenCache struct{ puts atomic.Int64 }

func (*brokenCache) Get(context.Context, string) (string, bool, error) {
	return "", false, errors.New("disk on fire")
}

func (c *brokenCache) Put(ctx context.Context, _, _ string) error {
	c.puts.Add(1)
	return errors.Join(errors.New("disk on fire"), ctx.Err())
}

func TestCache_Fails_ModelIsAsked(t *testing.T) {
	a := newAPI(t, func(w http.ResponseWriter, _ *http.Request, _ int) { says(w, "said") })
	log := new(harness.Log)
	cache := &brokenCache{}
	m := a.model(t, func(o *openrouter.Options) { o.Cache, o.Logger = cache, log.Logger() })
	if got, err := m.Enhance(ctx(t), part()); got != "said\n" || err != nil || cache.puts.Load() != 1 {
		t.Errorf("%q, %v", got, err)
	}
	if got := log.String(); strings.Count(got, "disk on fire") != 2 || strings.Contains(got, "canceled") {
		t.Errorf("log:\n%s", got)
	}
}

// The bound holds over all callers, and whoever leaves the queue leaves at
// once.
func TestMaxConcurrent_ManyCallers_HoldsOverAll(t *testing.T) {
	var now, most atomic.Int64
	in, out := make(chan struct{}, 10), make(chan struct{})
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		in <- struct{}{}
		<-out
		now.Add(-1)
		says(w, "said")
	})
	m := a.model(t, func(o *openrouter.Options) { o.MaxConcurrent = 2 })
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			p := part()
			p.TextLimit = i
			if _, err := m.Enhance(ctx(t), p); err != nil {
				t.Error(err)
			}
		})
	}
	<-in
	<-in
	gone, leave := context.WithCancelCause(ctx(t))
	cause := errors.New("left")
	leave(cause)
	if _, err := m.Enhance(gone, llmstxt.Part{}); !errors.Is(err, cause) {
		t.Error(err)
	}
	close(out)
	wg.Wait()
	if most.Load() != 2 || m.Stats().Requests != 6 {
		t.Errorf("%d at a time, %+v", most.Load(), m.Stats())
	}
}

// A client that leaves takes its request along, in the midst of an answer too.
func TestEnhance_ContextEnds_RequestEnds(t *testing.T) {
	for name, begin := range map[string]string{
		"before the answer": "",
		"in a stream":       `data: {"choices":[{"delta":{"content":"half"}}]}` + "\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			came, gone := make(chan struct{}), make(chan struct{})
			a := newAPI(t, func(w http.ResponseWriter, r *http.Request, n int) {
				if begin != "" {
					w.Header().Set("Content-Type", "text/event-stream")
					w.Write([]byte(begin))
					http.NewResponseController(w).Flush()
				}
				close(came)
				<-r.Context().Done()
				close(gone)
			})
			ctx, cancel := context.WithCancel(ctx(t))
			done := make(chan error, 1)
			m := a.model(t)
			go func() {
				_, err := m.Enhance(ctx, part())
				done <- err
			}()
			<-came
			cancel()
			select {
			case <-gone:
			case <-time.After(testTimeout):
				t.Fatal("the request goes on")
			}
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			if s := m.Stats(); s.Requests != 1 || s.Failed != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestErrors_AnyTrouble_HoldNoKey(t *testing.T) {
	for _, body := range []string{
		`{"error":{"code":401,"message":"Incorrect API key provided: ` + testKey + `. Find it elsewhere."}}`,
		`{"error":"bad key ` + testKey + `"}`,
		`{"detail":"` + testKey + `"}`,
		testKey,
	} {
		for _, status := range []int{200, 401, 500} {
			a := newAPI(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
				w.WriteHeader(status)
				w.Write([]byte(body))
			})
			_, err := a.model(t, func(o *openrouter.Options) { o.Attempts = 1 }).Enhance(ctx(t), part())
			if err == nil || strings.Contains(err.Error(), testKey) {
				t.Errorf("%d %s: %v", status, body, err)
			}
		}
	}
	m, err := openrouter.New(openrouter.Options{APIKey: testKey, Attempts: 1, HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		return nil, errors.New("cannot send " + r.Header.Get("Authorization"))
	})}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Enhance(ctx(t), part()); err == nil || strings.Contains(err.Error(), testKey) || !strings.Contains(err.Error(), "cannot send") {
		t.Error(err)
	}
}

func TestErrors_Refusal_NamesTheRemedy(t *testing.T) {
	for status, want := range map[int]string{
		400: "the API answers 400 (Bad Request): no good",
		401: "the API answers 401 (the API key is not valid): no good",
		402: "the API answers 402 (the account has no credit left): no good",
		403: "the API answers 403 (the API key may not do this, or the text was flagged): no good",
		404: "the API answers 404 (no such model, or the base URL is wrong): no good",
	} {
		for _, code := range []int{status, 200} { // as a status, and in the body alone
			a := newAPI(t, func(w http.ResponseWriter, _ *http.Request, n int) {
				if n > 1 {
					t.Errorf("%d is tried again", status)
				}
				w.WriteHeader(code)
				w.Write([]byte(`{"error":{"code":` + strings.Fields(want)[3] + `,"message":"no\u001b\n good"},"user_id":"u"}`))
			})
			_, err := a.model(t).Enhance(ctx(t), part())
			var e *openrouter.Error
			if !errors.As(err, &e) || e.Status != status || err.Error() != "openrouter: "+want {
				t.Errorf("%v, want %s", err, want)
			}
		}
	}
}

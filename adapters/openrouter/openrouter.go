// Package openrouter rewords the files of farwire's crawls with a language
// model. Its [Model] is a [farwire.Enhancer] over the OpenAI-compatible chat
// completions API, which OpenRouter speaks and so do OpenAI, vLLM, Ollama and
// llama.cpp:
//
//	model, err := openrouter.New(openrouter.Options{APIKey: os.Getenv("OPENROUTER_API_KEY")})
//	if err != nil { … }
//	gw, err := farwire.New(farwire.Options{Crawl: farwire.CrawlOptions{Enhance: model}})
//
// # What is sent
//
// A request holds a part of the file, in its layout, and the beginning of the
// text of each page in it: what the crawl read on public pages, and nothing of
// the caller's. Both are data from untrusted sites. They stand between lines
// with a random word that is new in every request, so that no page can end its
// own text and speak on as somebody else; the instructions, in a message of
// their own, say that instructions in between must be ignored.
//
// That alone would not be safe, and nothing here relies on it: the gateway
// reads the answer strictly and keeps its own text when the answer is not the
// same pages and no other address.
//
// # Why no client library
//
// One request of one shape is made here, with net/http. The official client,
// openai-go, was weighed and left out because of what a server may
// send: it reads an event of any number of lines into memory before anybody can
// object, it decides by the method that was called (not by what comes) whether
// an answer is a stream or a document, it takes content for text where some
// servers send a list of parts, and its errors repeat the body, in which some
// services repeat the key.
package openrouter

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/llmstxt"
)

// Defaults of Options.
const (
	DefaultBaseURL = "https://openrouter.ai/api/v1"
	DefaultModel   = "x-ai/grok-4.1-fast"
)

// Options says which model is asked, and how. Only APIKey is required.
type Options struct {
	// APIKey is sent as a bearer token. It shows in no error and no log. An
	// empty one is an error of New; a server that wants none takes any.
	APIKey string

	// BaseURL is where the API is: "/chat/completions" is added to it. The key
	// goes there and nowhere else, redirects are not followed. "":
	// DefaultBaseURL.
	BaseURL string

	// Model is the model's name as the API has it. "": DefaultModel.
	Model string

	// HTTPClient sends the requests; it is copied. Its Timeout counts, its
	// redirect policy does not. Nil: one of the Model's own, which uses the
	// environment's proxy.
	HTTPClient *http.Client

	// MaxConcurrent is how many requests are under way at a time, over all
	// crawls. Those that wait for their turn spend their Timeout. Zero: 16.
	MaxConcurrent int

	// TokenBudget is about how many tokens a request and its answer have
	// together. Parts are cut to it, and the answer gets at most half of it.
	// A model that thinks aloud needs more. Zero: 16,000; at least 2,000.
	TokenBudget int

	// Timeout is how long a part may take with all its tries. The gateway gives
	// a part 30 s whatever this says. Zero: 30 s.
	Timeout time.Duration

	// Attempts is how often a part is asked for, at most, while the API answers
	// 429, 408 or 5xx, answers with nothing, or cannot be reached. Zero: 4.
	Attempts int

	// Cache keeps answers, so that a recrawl pays only for what has changed.
	// Nil: 16 MiB in memory. See Memory and Folder.
	Cache Cache

	// Extra are further fields of each request's body, for what only one
	// provider knows, such as {"provider": {"data_collection": "deny"}}. They
	// go before ours; one that is nil takes ours out. Nil: none.
	Extra map[string]any

	// Logger is told when the cache fails. Nil: slog.Default().
	Logger *slog.Logger
}

// Model is a language model behind an API. It is safe for concurrent use.
type Model struct {
	o        Options
	endpoint string
	client   *http.Client
	slots    chan struct{}

	parts, cached, failed, requests, retries atomic.Uint64
	promptTokens, completionTokens           atomic.Uint64
	cost                                     atomic.Uint64 // bits of a float64
}

var _ farwire.PartSizer = (*Model)(nil)

// New returns a Model. It sends nothing. An error names the field.
func New(o Options) (*Model, error) {
	endpoint, err := o.check()
	if err != nil {
		return nil, err
	}
	if o.Model == "" {
		o.Model = DefaultModel
	}
	if o.Cache == nil {
		o.Cache = Memory(16 << 20)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Extra = maps.Clone(o.Extra)
	return &Model{o: o, endpoint: endpoint, client: clientFor(o), slots: make(chan struct{}, o.MaxConcurrent)}, nil
}

// check returns the address that requests go to, and sets BaseURL and the numbers to their
// defaults where they are zero.
func (o *Options) check() (endpoint string, err error) {
	if o.APIKey = strings.TrimSpace(o.APIKey); o.APIKey == "" {
		return "", misuse("APIKey", "empty")
	}
	if strings.ContainsFunc(o.APIKey, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", misuse("APIKey", "has characters that are invalid in a key")
	}
	o.BaseURL = cmp.Or(o.BaseURL, DefaultBaseURL) // it is part of the cache's keys
	u, err := url.Parse(o.BaseURL)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return "", misuse("BaseURL", "not an address; write it as %s", DefaultBaseURL)
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return "", misuse("BaseURL", "has credentials, a query or a fragment; the key goes into APIKey")
	}
	for _, n := range []struct {
		field          string
		value          *int
		zero, smallest int
	}{
		{"MaxConcurrent", &o.MaxConcurrent, 16, 1},
		{"TokenBudget", &o.TokenBudget, 16_000, 2_000},
		{"Attempts", &o.Attempts, 4, 1},
	} {
		if *n.value = cmp.Or(*n.value, n.zero); *n.value < n.smallest {
			return "", misuse(n.field, "%d is less than %d", *n.value, n.smallest)
		}
	}
	if o.Timeout = cmp.Or(o.Timeout, 30*time.Second); o.Timeout < 0 {
		return "", misuse("Timeout", "%v is negative", o.Timeout)
	}
	if _, err := json.Marshal(o.Extra); err != nil {
		return "", misuse("Extra", "%v", err)
	}
	return u.JoinPath("chat/completions").String(), nil
}

// misuse is the error for an option that cannot be used.
func misuse(field, format string, args ...any) error {
	return fmt.Errorf("openrouter: Options.%s: %s", field, fmt.Sprintf(format, args...))
}

// clientFor returns a client that follows no redirect: the key goes to one address only.
func clientFor(o Options) *http.Client {
	var client http.Client
	if o.HTTPClient != nil {
		client = *o.HTTPClient
	} else {
		client.Transport = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    o.MaxConcurrent,
			IdleConnTimeout:        30 * time.Second,
			TLSHandshakeTimeout:    10 * time.Second,
			MaxResponseHeaderBytes: 256 << 10,
		}
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

// PartSize is how many bytes a part may have with its texts, for the gateway
// to cut parts by: two for each token of the budget that the instructions
// leave, which is on the safe side in every script.
func (m *Model) PartSize() int { return 2 * (m.o.TokenBudget - 1000) }

// Enhance asks the model for a part, or remembers what it answered. The error
// of an answer with a bad status is an [*Error]; when the context or Timeout
// ends the request ends with it, at once.
func (m *Model) Enhance(ctx context.Context, p llmstxt.Part) (string, error) {
	m.parts.Add(1)
	ctx, cancel := context.WithTimeout(ctx, m.o.Timeout)
	defer cancel()
	key, err := m.key(p)
	if err != nil {
		return "", fmt.Errorf("openrouter: %w", err)
	}
	answer, found, err := m.o.Cache.Get(ctx, key)
	if found {
		m.cached.Add(1)
		return answer, nil
	}
	if err != nil && ctx.Err() == nil {
		m.o.Logger.WarnContext(ctx, "cache of the model's answers not read", "err", err)
	}
	if answer, err = m.ask(ctx, p); err != nil {
		m.failed.Add(1)
		return "", fmt.Errorf("openrouter: %w", err)
	}
	// Whoever stops waiting now has paid for the answer all the same.
	if err := m.o.Cache.Put(context.WithoutCancel(ctx), key, answer); err != nil {
		m.o.Logger.WarnContext(ctx, "cache of the model's answers not written", "err", err)
	}
	return answer, nil
}

// key names a part by its content and by all else that the answer depends on.
func (m *Model) key(p llmstxt.Part) (string, error) {
	text, err := json.Marshal([]any{m.o.BaseURL, m.o.Model, m.o.Extra, instructions(p), p})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// Stats counts what a Model has done since New.
type Stats struct {
	Parts    uint64 // asked for
	Cached   uint64 // of these, answered from the cache
	Failed   uint64 // of these, without an answer
	Requests uint64 // sent
	Retries  uint64 // of these, not the first of their part

	// As far as the API tells them, refused answers included.
	PromptTokens, CompletionTokens uint64
	Cost                           float64 // in the provider's unit; US dollars at OpenRouter
}

// Stats returns the counts. Those of one part may not be complete.
func (m *Model) Stats() Stats {
	return Stats{
		Parts: m.parts.Load(), Cached: m.cached.Load(), Failed: m.failed.Load(),
		Requests: m.requests.Load(), Retries: m.retries.Load(),
		PromptTokens: m.promptTokens.Load(), CompletionTokens: m.completionTokens.Load(),
		Cost: math.Float64frombits(m.cost.Load()),
	}
}

// count adds what an answer has cost.
func (m *Model) count(u *usage) {
	if u == nil {
		return
	}
	m.promptTokens.Add(uint64(max(u.PromptTokens, 0)))
	m.completionTokens.Add(uint64(max(u.CompletionTokens, 0)))
	for u.Cost > 0 {
		was := m.cost.Load()
		if m.cost.CompareAndSwap(was, math.Float64bits(math.Float64frombits(was)+u.Cost)) {
			return
		}
	}
}

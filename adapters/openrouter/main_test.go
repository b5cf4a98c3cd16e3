package openrouter_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire/adapters/openrouter"
	"github.com/farwire/farwire/internal/leak"
	"github.com/farwire/farwire/llmstxt"
)

// TestMain fails when a goroutine outlives the tests.
func TestMain(m *testing.M) { leak.Main(m) }

const testKey = "sk-or-v1-0123456789abcdef"

// testTimeout is how long a test waits for what must come.
const testTimeout = time.Minute

// asked is a request as the API reads it.
type asked struct {
	Model    string
	Messages []struct{ Role, Content string }

	Temperature *float64
	MaxTokens   int `json:"max_tokens"`
	Stream      bool
}

// An api is a server of the chat completions API that says what a test wants.
type api struct {
	*httptest.Server
	mu   sync.Mutex
	asks []asked
}

// newAPI serves say at /v1/chat/completions. Requests that are not in order
// fail the test.
func newAPI(t *testing.T, say func(w http.ResponseWriter, r *http.Request, n int)) *api {
	a := &api{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var ask asked
		if err == nil {
			err = json.Unmarshal(body, &ask)
		}
		switch {
		case err != nil:
			t.Errorf("body: %v", err)
		case r.Method != http.MethodPost, r.URL.Path != "/v1/chat/completions":
			t.Errorf("%s %s", r.Method, r.URL)
		case r.Header.Get("Authorization") != "Bearer "+testKey, r.Header.Get("Content-Type") != "application/json":
			t.Errorf("header %v", r.Header)
		}
		a.mu.Lock()
		a.asks = append(a.asks, ask)
		n := len(a.asks)
		a.mu.Unlock()
		say(w, r, n)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *api) asked() []asked {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asks
}

// model returns a Model of the API's.
func (a *api) model(t *testing.T, change ...func(*openrouter.Options)) *openrouter.Model {
	t.Helper()
	o := openrouter.Options{APIKey: testKey, BaseURL: a.URL + "/v1", HTTPClient: a.Client()}
	for _, f := range change {
		f(&o)
	}
	m, err := openrouter.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// says writes a whole answer as a JSON document.
func says(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"id":"gen-1","object":"chat.completion","model":"m","choices":[{"index":0,"finish_reason":"stop","native_finish_reason":"stop","message":{"role":"assistant","content":%s,"refusal":null}}],"usage":{"prompt_tokens":100,"completion_tokens":7,"total_tokens":107,"cost":0.25}}`, quoted(text))
}

func quoted(text string) []byte {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return b
}

// part is one with a page.
func part() llmstxt.Part {
	return llmstxt.Part{
		Layout:    llmstxt.Pages,
		Text:      "# Example\n\n> https://docs.example/\n\n## Start\n\n> https://docs.example/start\n\nHow to start.\n",
		Pages:     []llmstxt.PageText{{URL: "https://docs.example/start", Text: "Start\nHow to start, in many words."}},
		TextLimit: 500,
	}
}

func ctx(t *testing.T) context.Context {
	c, cancel := context.WithTimeout(t.Context(), testTimeout)
	t.Cleanup(cancel)
	return c
}

// roundTrip is a transport in memory.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func response(status int, header map[string]string, body string) *http.Response {
	h := http.Header{}
	for k, v := range header {
		h.Set(k, v)
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
}

const wholeAnswer = `{"choices":[{"finish_reason":"stop","message":{"content":"said"}}]}`

package api

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/internal/harness"
)

func load(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("../../../docs/openapi.yaml")
	must(t, err)
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatalf("the description is no OpenAPI: %v", err)
	}
	return doc
}

func init() {
	openapi3filter.RegisterBodyDecoder("text/event-stream", openapi3filter.FileBodyDecoder)
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.FileBodyDecoder)
}

// A request is one of the test's, and what it must be answered with.
type request struct {
	method, path string
	header       http.Header
	body         string
	status       int
	base         string // of another server; empty: the gateway
}

func upgrade(more ...string) http.Header {
	return head(append([]string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13",
		"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}, more...)...)
}

// requests has one for each answer that the description lists, but those of a
// gateway that drains.
func (w *world) requests() []request {
	const json = "application/json"
	ours := head("X-API-Key", key)
	wrong := head("X-API-Key", "no-such-key-0123456")
	broker := func(port string) string { return `{"host":"127.0.0.1","port":` + port + `}` }
	_, port, _ := strings.Cut(w.broker.Addr().String(), ":")
	direct := func(query string) string { return "/ws?url=" + query }
	all := []request{
		{"GET", "/ws", upgrade(), "", 101, ""},
		{"GET", "/ws/", upgrade(), "", 101, ""},
		{"GET", direct(w.target + "&geo=DE&idle_timeout=5&header=A:%20b"), upgrade("X-API-Key", key), "", 101, ""},
		{"GET", direct("ftp://x"), upgrade("X-API-Key", key), "", 400, ""},
		{"GET", direct(w.target), upgrade(), "", 401, ""},
		{"GET", direct(w.target + "&agent=guarded1"), upgrade("X-API-Key", key), "", 403, ""},
		{"GET", direct("ws" + strings.TrimPrefix(w.site, "http") + "/gone&agent=de1"), upgrade("X-API-Key", key), "", 404, ""},
		{"GET", "/ws", nil, "", 426, ""},
		{"GET", direct("ws://127.0.0.1:1&agent=de1"), upgrade("X-API-Key", key), "", 502, ""},
		{"GET", direct(w.target + "&agent=late1"), upgrade("X-API-Key", key), "", 504, ""},
		{"GET", "/ws/crawl", upgrade("X-API-Key", key), "", 101, ""},
		{"GET", "/ws/crawl", nil, "", 426, ""},
		{"POST", "/amqp", head("X-API-Key", key, "Content-Type", json), broker(port), 200, ""},
		{"POST", "/amqp", head("X-API-Key", key, "Content-Type", json), `{"host":7}`, 400, ""},
		{"POST", "/amqp", head("Content-Type", json), broker(port), 401, ""},
		{"POST", "/amqp", head("X-API-Key", "no-such-key-0123456", "Content-Type", json), broker(port), 403, ""},
		{"POST", "/amqp", head("X-API-Key", key, "Content-Type", json), `{"host":"` + strings.Repeat("x", 64<<10) + `"}`, 413, ""},
		{"POST", "/amqp", head("X-API-Key", key, "Content-Type", "text/plain"), broker(port), 415, ""},
		{"GET", w.to("agent=de1"), ours, "", 200, ""},
		{"GET", w.to("agent=de1") + "gone", ours, "", 404, ""},
		{"GET", w.to("nope=1"), ours, "", 400, ""},
		{"GET", w.to("agent=de1"), nil, "", 401, ""},
		{"GET", w.to("agent=guarded1"), ours, "", 403, ""},
		{"GET", "/to/agent=de1/http/127.0.0.1:1/", ours, "", 502, ""},
		{"GET", w.to("agent=late1"), ours, "", 504, ""},
		{"POST", "/auth/token", ours, "", 200, ""},
		{"POST", "/auth/token", head("X-API-Key", key, "Content-Type", json), `{"expires_in":60,"allow":["*.example.com:443"],"kinds":["relay","http"]}`, 200, ""},
		{"POST", "/auth/token", head("X-API-Key", key, "Content-Type", json), `{"expires_in":0}`, 400, ""},
		{"POST", "/auth/token", head("X-API-Key", key, "Content-Type", json), `{"allow":[]}`, 400, ""},
		{"POST", "/auth/token", head("X-API-Key", key, "Content-Type", json), `{"allow":["` + strings.Repeat("x", 64<<10) + `"]}`, 413, ""},
		{"POST", "/auth/token", head("X-API-Key", key, "Content-Type", "text/plain"), `{}`, 415, ""},
		{"POST", "/auth/token", nil, "", 401, ""},
		{"POST", "/auth/token", wrong, "", 403, ""},
		{"GET", "/usage", ours, "", 200, ""},
		{"GET", "/usage", nil, "", 401, ""},
		{"GET", "/usage", wrong, "", 403, ""},
		{"GET", "/sessions", ours, "", 200, ""},
		{"GET", "/sessions", nil, "", 401, ""},
		{"GET", "/sessions", wrong, "", 403, ""},
		{"DELETE", "/sessions/0123456789abcdef", ours, "", 404, ""},
		{"DELETE", "/sessions/0123456789abcdef", nil, "", 401, ""},
		{"DELETE", "/sessions/0123456789abcdef", wrong, "", 403, ""},
		{"GET", "/sites", ours, "", 200, ""},
		{"GET", "/sites", nil, "", 401, ""},
		{"GET", "/sites", wrong, "", 403, ""},
		{"DELETE", "/sites/1", ours, "", 204, ""},
		{"DELETE", "/sites/1", nil, "", 401, ""},
		{"DELETE", "/sites/1", wrong, "", 403, ""},
		{"DELETE", "/sites/2", ours, "", 404, ""},
		{"GET", "/network", ours, "", 200, ""},
		{"GET", "/network", nil, "", 401, ""},
		{"GET", "/network", wrong, "", 403, ""},
		{"GET", "/network", ours, "", 404, w.local.URL},
		{"GET", "/agents/attach", head("Connection", "Upgrade", "Upgrade", "farwire-agent", "Authorization", "Bearer "+secret), "", 101, ""},
		{"GET", "/agents/attach", head("Authorization", "Bearer wrong"), "", 401, ""},
		{"GET", "/agents/attach", head("Authorization", "Bearer wrong"), "", 429, ""},
		{"GET", "/agents/attach", head("Authorization", "Bearer "+secret), "", 403, w.local.URL},
		{"GET", "/agents/attach", head("Authorization", "Bearer "+secret), "", 426, ""},
		{"POST", "/hooks/site-changed", head("Content-Type", json), `{"base_url":"https://enrolled.example/","webhook_secret":"` + hook + `"}`, 202, ""},
		{"POST", "/hooks/site-changed", head("Content-Type", json), `{"webhook_secret":"x"}`, 400, ""},
		{"POST", "/hooks/site-changed", head("Content-Type", json), `{"base_url":"https://enrolled.example/","webhook_secret":"x"}`, 401, ""},
		{"POST", "/hooks/site-changed", head("Content-Type", json), `{"base_url":"https://unknown.example/","webhook_secret":"x"}`, 404, ""},
		{"POST", "/hooks/site-changed", head("Content-Type", json), `{"base_url":"` + strings.Repeat("x", 64<<10) + `"}`, 413, ""},
		{"POST", "/hooks/site-changed", head("Content-Type", "text/plain"), `{}`, 415, ""},
		{"GET", "/files/a/llms.txt", nil, "", 200, ""},
		{"GET", "/files/b/llms.txt", nil, "", 404, ""},
		{"GET", "/healthz", nil, "", 200, ""},
		{"GET", "/readyz", nil, "", 200, ""},
		{"GET", "/readyz?require=disk", nil, "", 400, ""},
		{"GET", "/", nil, "", 200, ""},
	}
	for path, method := range map[string]string{
		"/ws": "GET", "/ws/crawl": "GET", "/amqp": "POST", "/auth/token": "POST", "/usage": "GET", "/sessions": "GET", "/sessions/0123456789abcdef": "DELETE",
		"/sites": "GET", "/sites/1": "DELETE", "/network": "GET", w.to("agent=de1"): "PUT",
		"/hooks/site-changed": "POST", "/healthz": "GET", "/readyz": "GET", "/files/a/llms.txt": "GET",
	} {
		all = append(all, request{"OPTIONS", path, head("Origin", "https://page.example", "Access-Control-Request-Method", method,
			"Access-Control-Request-Headers", "x-api-key"), "", 204, ""})
	}
	// Bob's one request is his first.
	all = append(all, request{"GET", "/usage", head("X-API-Key", spent), "", 200, ""})
	all = append(all, request{"DELETE", "/sessions/0123456789abcdef", head("X-API-Key", spent), "", 429, ""})
	all = append(all, request{"DELETE", "/sites/1", head("X-API-Key", spent), "", 429, ""})
	for _, path := range []string{"/usage", "/network", "/sessions", "/sites"} {
		all = append(all, request{"GET", path, head("X-API-Key", spent), "", 429, ""})
	}
	return append(all,
		request{"GET", w.to("agent=de1"), head("X-API-Key", spent), "", 200, ""},
		request{"GET", w.to("agent=de1"), head("X-API-Key", spent), "", 429, ""},
		request{"POST", "/auth/token", head("X-API-Key", spent), "", 429, ""},
		request{"POST", "/amqp", head("X-API-Key", spent, "Content-Type", json), broker(port), 429, ""},
		request{"GET", direct(w.target), upgrade("X-API-Key", spent), "", 429, ""})
}

// to is the path form of the site's first page.
func (w *world) to(options string) string {
	return "/to/" + options + "/" + strings.Replace(w.site, "://", "/", 1) + "/"
}

// draining are the requests that a gateway answers with 503 when it drains.
func (w *world) draining() []request {
	const json = "application/json"
	return []request{
		{"GET", "/ws", upgrade(), "", 503, ""},
		{"GET", "/ws/crawl", upgrade("X-API-Key", key), "", 503, ""},
		{"POST", "/amqp", head("X-API-Key", key, "Content-Type", json), `{"host":"127.0.0.1"}`, 503, ""},
		{"GET", w.to("-"), head("X-API-Key", key), "", 503, ""},
		{"POST", "/auth/token", head("X-API-Key", key), "", 503, ""},
		{"POST", "/hooks/site-changed", head("Content-Type", json), `{"base_url":"https://enrolled.example/","webhook_secret":"x"}`, 503, ""},
		{"GET", "/sites", head("X-API-Key", key), "", 503, ""},
		{"DELETE", "/sites/1", head("X-API-Key", key), "", 503, ""},
		{"GET", "/healthz", nil, "", 503, ""},
		{"GET", "/readyz", nil, "", 503, ""},
		{"GET", "/agents/attach", head("Connection", "Upgrade", "Upgrade", "farwire-agent", "Authorization", "Bearer "+secret), "", 503, ""},
	}
}

// TestOpenAPI_EveryAnswer_IsAsDescribed sends a request for each answer that is described, and holds
// requests and answers to the description.
func TestOpenAPI_EveryAnswer_IsAsDescribed(t *testing.T) {
	doc, w := load(t), start(t)
	router, err := gorillamux.NewRouter(doc)
	must(t, err)
	seen := map[string]bool{}
	for _, r := range w.requests() {
		w.check(t, router, r, seen)
	}
	// A session that runs.
	w.check(t, router, request{"DELETE", "/sessions/" + w.running(t), head("X-API-Key", key), "", 200, ""}, seen)
	// A file that the client has.
	resp, err := client.Get(w.server.URL + "/files/a/llms.txt")
	must(t, err)
	resp.Body.Close()
	w.check(t, router, request{"GET", "/files/a/llms.txt", head("If-None-Match", resp.Header.Get("ETag")), "", 304, ""}, seen)
	// A page of another origin brings a caller that only its host knows.
	host := harness.QuietServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.gw.Crawl().ServeHTTP(rw, r.WithContext(farwire.WithPrincipal(r.Context(), farwire.Principal{Subject: "carol"})))
	}))
	defer host.Close()
	w.check(t, router, request{"GET", "/ws/crawl", upgrade("Origin", "https://evil.example"), "", 403, host.URL}, seen)
	// A webhook that is called again and again.
	call := request{"POST", "/hooks/site-changed", head("Content-Type", "application/json"), `{"base_url":"https://unknown.example/","webhook_secret":"x"}`, 429, ""}
	for status := 0; status != call.status; {
		resp, err := client.Post(w.server.URL+call.path, "application/json", strings.NewReader(call.body))
		must(t, err)
		resp.Body.Close()
		status = resp.StatusCode
	}
	w.check(t, router, call, seen)

	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	must(t, errors.Join(w.gw.Shutdown(ctx), w.pool.Shutdown(ctx)))
	for _, r := range w.draining() {
		w.check(t, router, r, seen)
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			for status := range op.Responses.Map() {
				if !seen[method+" "+path+" "+status] {
					t.Errorf("%s %s is described to answer %s and never did", method, path, status)
				}
			}
		}
	}
}

// running begins a relay and returns the id of its session.
func (w *world) running(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	t.Cleanup(cancel)
	c, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(w.server.URL, "http")+"/ws?url="+w.target+"&agent=de1&api_key="+key, nil)
	must(t, err)
	t.Cleanup(func() { c.CloseNow() })
	for ctx.Err() == nil {
		for s := range w.gw.Sessions() {
			if s.Kind == farwire.KindRelay && s.Agent != "" {
				return s.ID
			}
		}
	}
	t.Fatal("the relay is not among the sessions")
	return ""
}

// asDescribed is a path as the router of the description finds it: /ws/ is
// described as /ws, and a parameter of OpenAPI holds no slash and is not empty.
func asDescribed(path string) string {
	if file, ok := strings.CutPrefix(path, "/files/"); ok {
		return "/files/" + strings.ReplaceAll(file, "/", "-")
	}
	if strings.HasPrefix(path, "/to/") && strings.HasSuffix(path, "/") {
		return path + "-"
	}
	if path == "/ws/" {
		return "/ws"
	}
	return path
}

func (w *world) check(t *testing.T, router routers.Router, r request, seen map[string]bool) {
	t.Helper()
	name := fmt.Sprintf("%s %s %d", r.method, r.path, r.status)
	base := cmp.Or(r.base, w.server.URL)
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	request := func(path string) *http.Request {
		req, err := http.NewRequestWithContext(ctx, r.method, base+path, strings.NewReader(r.body))
		must(t, err)
		for n, v := range r.header {
			req.Header[n] = v
		}
		return req
	}
	resp, err := client.Do(request(r.path))
	for err == nil && r.status == 429 && resp.StatusCode != 429 {
		resp.Body.Close() // one call in a tenth of a second passes
		resp, err = client.Do(request(r.path))
	}
	// An answer that comes before the body's end is lost to net/http's client where
	// writing fails before it has read it.
	for try := 0; err != nil && r.status == 413 && try < 10; try++ {
		resp, err = client.Do(request(r.path))
	}
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode != r.status {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
		t.Errorf("%s: answered with %s %s", name, resp.Status, b)
		return
	}
	described := request(asDescribed(r.path))
	route, params, err := router.FindRoute(described)
	if err != nil {
		t.Errorf("%s is not described: %v", name, err)
		return
	}
	in := &openapi3filter.RequestValidationInput{Request: described, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true}}
	err = openapi3filter.ValidateRequest(ctx, in)
	switch {
	case r.status == 400 && err == nil:
		t.Errorf("%s: the description allows what is refused", name)
	case r.status != 400 && r.status != 413 && r.status != 415 && err != nil:
		t.Errorf("%s: the description forbids what is asked: %v", name, err)
	}
	var body []byte
	// The rest of a stream comes when it comes.
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") && resp.StatusCode != http.StatusSwitchingProtocols {
		body, err = io.ReadAll(resp.Body)
		must(t, err)
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: resp.StatusCode, Header: resp.Header,
		Body: io.NopCloser(bytes.NewReader(body)), Options: in.Options}
	if err := openapi3filter.ValidateResponse(ctx, out); err != nil {
		t.Errorf("%s: the answer is not as described: %v\n%v\n%.300s", name, err, resp.Header, body)
	}
	if from := resp.Header["X-Farwire-From"]; len(from) != 1 || from[0] != "gateway" && from[0] != "target" {
		t.Errorf("%s: X-Farwire-From is %q", name, from)
	}
	status := strconv.Itoa(resp.StatusCode)
	if route.Operation.Responses.Value(status) == nil {
		status = "default"
	}
	seen[route.Method+" "+route.Path+" "+status] = true
}

// TestOpenAPI_EveryRoute_IsDescribed reads what the program mounts out of its source,
// and looks for each in one of the descriptions and in this package's gateway.
func TestOpenAPI_EveryRoute_IsDescribed(t *testing.T) {
	doc, sockets := load(t), loadAsync(t)
	mounted := routes(t, "../../../cmd/farwire/serve.go", "routes")
	here := routes(t, "gateway_test.go", "mount")
	if len(mounted) < 10 {
		t.Fatalf("only found %v", mounted)
	}
	for _, path := range mounted {
		described := strings.TrimSuffix(path, "/{$}")
		if described == "/files/" {
			described = "/files/{name}"
		}
		if doc.Paths.Value(described) == nil && !sockets.has(described) {
			t.Errorf("%s is served and not described", path)
		}
		if !slices.Contains(here, path) {
			t.Errorf("%s is served and not tested here", path)
		}
	}
}

// routes returns the patterns that a function of a file mounts.
func routes(t *testing.T, file, function string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	must(t, err)
	var found []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		if f, ok := n.(*ast.FuncDecl); ok {
			return f.Name.Name == function
		}
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || !strings.HasPrefix(sel.Sel.Name, "Handle") || len(call.Args) != 2 {
			return true
		}
		switch arg := call.Args[0].(type) {
		case *ast.BasicLit:
			path, err := strconv.Unquote(arg.Value)
			must(t, err)
			found = append(found, path)
		case *ast.Ident: // the one constant among them
			if arg.Name == "filesPath" {
				found = append(found, "/files/")
			} else {
				t.Errorf("%s mounts %s, which this test does not know", file, arg.Name)
			}
		}
		return true
	})
	return found
}

package console_test

import (
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/farwire/farwire/console"
	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// ask serves one request and returns the answer with its body.
func ask(t *testing.T, h http.Handler, method, target string, header ...string) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	resp := w.Result()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// Every file that the page or one of its files names is served, with a type
// that the browser takes, and every file that is there is named.
func TestConsole_EveryFile_IsServedAndNamed(t *testing.T) {
	h := console.Handler(console.Options{})
	names := map[string]*regexp.Regexp{
		".html": regexp.MustCompile(`(?:src|href)="([^"#]+)"`),
		".js":   regexp.MustCompile(`(?m)^(?:import|export) .* from '([^']+)'`),
		".css":  regexp.MustCompile(`(?:url\(|@import )["']?([^"')]+)`),
	}
	types := map[string]string{
		".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
		".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
	}
	served := map[string]bool{}
	var visit func(at string)
	visit = func(at string) {
		if served[at] {
			return
		}
		served[at] = true
		resp, body := ask(t, h, http.MethodGet, at)
		ext := path.Ext(at)
		if ext == "" {
			ext = ".html"
		}
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != types[ext] {
			t.Errorf("%s: %d %s, want %s", at, resp.StatusCode, resp.Header.Get("Content-Type"), types[ext])
		}
		if pattern := names[ext]; pattern != nil {
			for _, m := range pattern.FindAllStringSubmatch(body, -1) {
				visit(path.Join(path.Dir(at), m[1]))
			}
		}
	}
	visit("/")
	folder := regexp.MustCompile(`assets/[0-9a-f]{16}/`).FindString(pageOf(t, h))
	count := 0
	err := fs.WalkDir(os.DirFS("page/assets"), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		count++
		at := "/" + folder + name
		if path.Base(name) == "LICENSE.txt" { // for who reads the files, which no page names
			resp, body := ask(t, h, http.MethodGet, at)
			if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/plain; charset=utf-8" || !strings.Contains(body, "Copyright") {
				t.Errorf("%s: %d %s", at, resp.StatusCode, resp.Header.Get("Content-Type"))
			}
		} else if !served[at] {
			t.Errorf("nothing names %s", name)
		}
		return nil
	})
	if err != nil || count == 0 {
		t.Fatalf("the folder holds %d files, %v", count, err)
	}
}

func pageOf(t *testing.T, h http.Handler) string {
	t.Helper()
	_, page := ask(t, h, http.MethodGet, "/")
	return page
}

// The policy forbids all that these look for. A browser would refuse it only
// where it is met; here it is found wherever it stands.
func TestConsole_Files_KeepThePolicy(t *testing.T) {
	forbidden := map[string][]*regexp.Regexp{
		".html": {
			regexp.MustCompile(`<script(?:>| [^>]*[^>/]>[^<])`),
			regexp.MustCompile(`<style|\sstyle=`),
			regexp.MustCompile(`\son[a-z]+=`),
			regexp.MustCompile(`(?:src|href|action)="(?:[a-z]+:|//)`),
		},
		".css": {regexp.MustCompile(`@import|url\(`)},
		".js": {
			regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|setHTML`),
			regexp.MustCompile(`\beval\(|new Function|\.style\b|'style'`),
			regexp.MustCompile(`(?m)from '[^.]|^[^*\n]*import\(`),
		},
		".svg": {regexp.MustCompile(`<script|<style|\son[a-z]+=|href=`)},
		".txt": nil,
	}
	err := fs.WalkDir(os.DirFS("page"), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path.Join("page", name))
		if err != nil {
			return err
		}
		patterns, known := forbidden[path.Ext(name)]
		if !known {
			t.Errorf("%s is of a kind that the handler does not know", name)
		}
		for _, pattern := range patterns {
			if found := pattern.Find(b); found != nil {
				t.Errorf("%s holds %q", name, found)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestConsole_EachFile_HasItsHeaders(t *testing.T) {
	h := console.Handler(console.Options{})
	_, page := ask(t, h, http.MethodGet, "/")
	script := "/" + regexp.MustCompile(`assets/[0-9a-f]{16}/app\.js`).FindString(page)
	for target, cache := range map[string]string{"/": "no-cache", script: "public, max-age=31536000, immutable"} {
		resp, body := ask(t, h, http.MethodGet, target)
		for name, want := range map[string]string{
			"Cache-Control":                cache,
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "no-referrer",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s: %s: %q, want %q", target, name, got, want)
			}
		}
		policy := resp.Header.Get("Content-Security-Policy")
		for _, directive := range []string{
			"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data:",
			"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
		} {
			if !strings.Contains(policy+";", directive+";") {
				t.Errorf("%s: the policy lacks %s: %s", target, directive, policy)
			}
		}

		// Who has it already is told so, and not sent it again.
		etag := resp.Header.Get("ETag")
		again, rest := ask(t, h, http.MethodGet, target, "If-None-Match", etag)
		if etag == "" || again.StatusCode != http.StatusNotModified || rest != "" {
			t.Errorf("%s with its ETag %s: %d with %d bytes", target, etag, again.StatusCode, len(rest))
		}
		head, rest := ask(t, h, http.MethodHead, target)
		if head.StatusCode != http.StatusOK || rest != "" || head.ContentLength != int64(len(body)) || head.Header.Get("ETag") != etag {
			t.Errorf("HEAD %s: %d, length %d of %d, %q", target, head.StatusCode, head.ContentLength, len(body), rest)
		}
	}
}

func TestConsole_BadRequest_IsRefused(t *testing.T) {
	h := console.Handler(console.Options{})
	for _, c := range []struct {
		method, target string
		status         int
		detail         string
	}{
		{"GET", "/nonsense", 404, "no such endpoint"},
		{"POST", "/nonsense", 404, "no such endpoint"},
		{"GET", "/index.html", 404, "no such endpoint"},
		{"GET", "/assets/", 404, "no such endpoint"},
		{"GET", "/assets/app.js", 404, "no such endpoint"},
		{"GET", "/assets/0123456789abcdef/app.js", 404, "no such endpoint"},
		{"GET", "/../console.go", 404, "no such endpoint"},
		{"POST", "/", 405, "the method must be GET, HEAD"},
		{"OPTIONS", "/", 405, "the method must be GET, HEAD"},
	} {
		resp, body := ask(t, h, c.method, c.target)
		var answer struct{ Detail string }
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Errorf("%s %s: %q is not JSON", c.method, c.target, body)
		}
		if resp.StatusCode != c.status || answer.Detail != c.detail || resp.Header.Get("Content-Type") != "application/json" ||
			resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("X-Farwire-From") != "gateway" || (resp.Header.Get("Allow") == "GET, HEAD") != (c.status == 405) {
			t.Errorf("%s %s: %d %v %q, want %d %q", c.method, c.target, resp.StatusCode, resp.Header, body, c.status, c.detail)
		}
	}
}

// Below a prefix the page is the same, because it names nothing by an absolute
// path, and so is what it does not have.
func TestConsole_BelowAPrefix_IsTheSame(t *testing.T) {
	_, alone := ask(t, console.Handler(console.Options{}), http.MethodGet, "/")
	for pattern, prefix := range map[string]string{"/a/b/": "/a/b", "/c/": "/c/"} {
		mux := http.NewServeMux()
		mux.Handle(pattern, http.StripPrefix(prefix, console.Handler(console.Options{})))
		if resp, body := ask(t, mux, http.MethodGet, pattern); resp.StatusCode != http.StatusOK || body != alone {
			t.Errorf("GET %s: %d, the same page: %v", pattern, resp.StatusCode, body == alone)
		}
		if resp, _ := ask(t, mux, http.MethodGet, strings.TrimSuffix(pattern, "/")); resp.StatusCode/100 != 3 || resp.Header.Get("Location") != pattern {
			t.Errorf("without its last slash: %d to %s", resp.StatusCode, resp.Header.Get("Location"))
		}
		if resp, _ := ask(t, mux, http.MethodGet, pattern+"nonsense"); resp.StatusCode != http.StatusNotFound {
			t.Errorf("GET %snonsense: %d", pattern, resp.StatusCode)
		}
	}
}

func TestConsole_Options_AreWrittenIntoThePage(t *testing.T) {
	for _, c := range []struct {
		options      console.Options
		gateway, key string
		version      string
	}{
		{console.Options{}, "./", "ask", ""},
		{console.Options{Gateway: "/api/"}, "/api/", "ask", ""},
		{console.Options{Gateway: "/api"}, "/api/", "ask", ""},
		{console.Options{Gateway: "../"}, "../", "ask", ""},
		{console.Options{Gateway: `/a"><script>/`}, "/a&#34;&gt;&lt;script&gt;/", "ask", ""},
		{console.Options{NoKey: true}, "./", "none", ""},
		{console.Options{Version: "v1.2.3"}, "./", "ask", "v1.2.3"},
		{console.Options{Version: `v1"><script>`}, "./", "ask", "v1&#34;&gt;&lt;script&gt;"},
	} {
		_, body := ask(t, console.Handler(c.options), http.MethodGet, "/")
		for _, want := range []string{
			`<meta name="farwire-gateway" content="` + c.gateway + `">`,
			`<meta name="farwire-key" content="` + c.key + `">`,
			`<meta name="farwire-version" content="` + c.version + `">`,
		} {
			if !strings.Contains(body, want) {
				t.Errorf("%+v: the page lacks %s", c.options, want)
			}
		}
	}
}

// Another host is beyond the page's policy, so it is a mistake of the program.
func TestNew_GatewayOnAnotherHost_Panics(t *testing.T) {
	for _, gateway := range []string{
		"https://gw.example.com/", "//gw.example.com/", "wss:", "/?x=1", "/#x", `\\gw.example.com\`, "/%zz",
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q is taken", gateway)
				}
			}()
			console.Handler(console.Options{Gateway: gateway})
		}()
	}
}

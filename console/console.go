// Package console is the web page through which a person uses a gateway: open
// relays and watch their frames, send HTTP requests, stream messages of a broker,
// crawl a site and read the result, see the agents, the sessions and what was used.
//
// The page is static files, embedded, that need no build and load nothing from
// elsewhere. It speaks to the gateway's own endpoints and knows nothing that
// another client could not: whoever opens it still needs a key, which the page
// keeps in memory unless the person asks it to remember.
//
// [Handler] serves it. At the root of a server, beside the gateway's handlers:
//
//	mux.Handle("/", console.Handler(console.Options{}))
//
// and below a path of its own, with the gateway's handlers elsewhere on the
// same host:
//
//	mux.Handle("/console/", http.StripPrefix("/console",
//		console.Handler(console.Options{Gateway: "/api/"})))
package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
)

// Options say where the page finds the gateway. The zero value is for a page
// at the same folder as the gateway's handlers, as farwire serve has it.
type Options struct {
	// Gateway is the path below which the page finds the gateway's endpoints:
	// ws, amqp, ws/crawl, auth/token, network, usage, sessions, sites and healthz, of
	// which the page sees whether the gateway is silent. The path form is at /to/
	// wherever that is. It is absolute ("/api/") or relative to the page ("../"); a
	// missing last slash is added.
	// Empty means beside the page. It names no host: the page's policy lets it
	// connect to its own origin alone.
	Gateway string

	// NoKey says that the host names its callers itself
	// (farwire.WithPrincipal), so that the page does not begin by asking for a
	// key. One can be entered all the same.
	NoKey bool

	// Version is the program's, such as "v1.2.3", which the page shows and whose
	// documents it links to. Empty means unknown.
	Version string
}

// Handler returns the handler of the page and its files, which answers GET and
// HEAD. It has no need to know the path that it is mounted at, because the page
// names its files by relative URLs: strip the prefix with [http.StripPrefix],
// and have the page's own URL end with a slash, as a pattern of
// [http.ServeMux] with one does. What it does not know is a 404 with a JSON
// body, like the gateway's own, so it may serve all that no other pattern does.
//
// It panics when o.Gateway is not a path. It is safe for concurrent use.
func Handler(o Options) http.Handler {
	gateway, err := gatewayPath(o.Gateway)
	if err != nil {
		panic("console: Options.Gateway: " + err.Error())
	}
	files := make(pages)
	folder := files.addAssets()
	files.addIndex(folder, gateway, o)
	return files
}

func gatewayPath(given string) (string, error) {
	if given == "" {
		return "./", nil
	}
	u, err := url.Parse(given)
	switch {
	case err != nil:
		return "", err
	case u.Scheme != "" || u.Host != "" || u.RawQuery != "" || u.Fragment != "" || strings.ContainsRune(given, '\\'):
		return "", fmt.Errorf("%q is not a path", given)
	case strings.HasSuffix(given, "/"):
		return given, nil
	}
	return given + "/", nil
}

// pages are the files by their path, without a leading slash.
type pages map[string]file

type file struct {
	body        []byte
	contentType string
	etag        string
	cache       string // Cache-Control
}

//go:embed page
var embedded embed.FS

const (
	assets = "page/assets"

	// A browser asks each time whether the page has changed. Its files are in
	// a folder named after all their bytes, so what has a name never changes.
	revalidate = "no-cache"
	immutable  = "public, max-age=31536000, immutable"
)

// addAssets adds the scripts, the style and the picture, and returns the
// folder that they are in. The scripts import each other by relative names,
// which is why the folder bears the hash and not each file.
//
// The folder eventsource-parser holds what the package of that name on npm,
// version 4.1.3, has in dist, as it is, with its licence.
func (p pages) addAssets() (folder string) {
	var names []string
	err := fs.WalkDir(embedded, assets, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, strings.TrimPrefix(name, assets+"/"))
		}
		return err
	})
	if err != nil {
		panic("console: " + err.Error()) // the files are part of the program
	}
	all := sha256.New()
	for _, name := range names {
		b := read(path.Join(assets, name))
		fmt.Fprintf(all, "%s %d\n", name, len(b))
		all.Write(b)
	}
	folder = "assets/" + hex.EncodeToString(all.Sum(nil))[:16] + "/"
	for _, name := range names {
		p.add(folder+name, name, read(path.Join(assets, name)), immutable)
	}
	return folder
}

// addIndex adds the page itself, told where its files and the gateway are.
func (p pages) addIndex(folder, gateway string, o Options) {
	key := "ask"
	if o.NoKey {
		key = "none"
	}
	text := strings.NewReplacer(
		`"assets/`, `"`+folder,
		`name="farwire-gateway" content="./"`, `name="farwire-gateway" content="`+html.EscapeString(gateway)+`"`,
		`name="farwire-key" content="ask"`, `name="farwire-key" content="`+key+`"`,
		`name="farwire-version" content=""`, `name="farwire-version" content="`+html.EscapeString(o.Version)+`"`,
	).Replace(string(read("page/index.html")))
	p.add("", "index.html", []byte(text), revalidate)
}

func read(name string) []byte {
	b, err := embedded.ReadFile(name)
	if err != nil {
		panic("console: " + err.Error())
	}
	return b
}

func (p pages) add(at, name string, body []byte, cache string) {
	sum := sha256.Sum256(body)
	p[at] = file{body, contentTypes[path.Ext(name)], `"` + hex.EncodeToString(sum[:])[:32] + `"`, cache}
}

// What package mime says depends on the machine.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".txt":  "text/plain; charset=utf-8",
}

// policy lets the page load its own files and connect to its own origin, over
// WebSockets too ('self' covers ws: and wss: of the same host; Content Security
// Policy Level 3, section 6.7.2.8), and nothing else. Trusted Types make the
// browser refuse every place where text could become markup or script.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

func (p pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := p[strings.TrimPrefix(r.URL.Path, "/")]
	h := w.Header()
	h.Set("X-Farwire-From", "gateway")
	h.Set("X-Content-Type-Options", "nosniff")
	switch {
	case !ok:
		refuse(w, http.StatusNotFound, "no such endpoint")
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, "the method must be GET, HEAD")
		return
	}
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", f.cache)
	h.Set("ETag", f.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
}

// refuse answers as the gateway's own endpoints do to a request that cannot be
// served as it is.
func refuse(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprintf(w, "{\"detail\":%q,\"code\":\"bad_request\"}\n", detail)
}

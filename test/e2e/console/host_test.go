package console

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/sqlstore"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/console"
	"github.com/farwire/farwire/internal/harness"
)

const hostKey = "a-key-of-the-host"

// host is a program of somebody's that has the gateway's handlers below /api/
// and the console below /tools/console/. It returns the console's address.
func host(t *testing.T, page console.Options, o farwire.Options, sites bool, wrap func(http.Handler) http.Handler) string {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(wrap(mux))
	exit, err := agent.Direct(agent.DirectOptions{Slug: "de1", Country: "DE", AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	pool, err := agent.NewPool(agent.PoolOptions{LocalOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.Add(exit); err != nil {
		t.Fatal(err)
	}
	files, err := farwire.NewFolderStorage(t.TempDir(), server.URL+"/api/files/")
	if err != nil {
		t.Fatal(err)
	}
	o.Agents, o.Storage, o.Logger = pool, files, slog.New(slog.NewTextHandler(io.Discard, nil))
	closeSites := func() error { return nil }
	if sites {
		store, err := sqlstore.Open(context.Background(), "sqlite:"+filepath.Join(t.TempDir(), "sites.db"))
		if err != nil {
			t.Fatal(err)
		}
		o.Sites, closeSites = store, store.Close
	}
	gw, err := farwire.New(o)
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/api/ws", gw.Relay())
	mux.Handle("/api/amqp", gw.AMQP())
	mux.Handle("/api/ws/crawl", gw.Crawl())
	mux.Handle("/api/auth/token", gw.Token())
	mux.Handle("/api/network", gw.Network())
	mux.Handle("/api/usage", gw.Usage())
	if sites {
		mux.Handle("/api/sites", gw.SitesHandler())
		mux.Handle("/api/sites/{id}", gw.SitesHandler())
	}
	mux.Handle("/api/files/", http.StripPrefix("/api/files", files))
	page.Gateway = "../../api/"
	mux.Handle("/tools/console/", http.StripPrefix("/tools/console", console.Handler(page)))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout)
		defer cancel()
		if err := gw.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		server.CloseClientConnections()
		server.Close()
		if err := pool.Shutdown(ctx); err != nil {
			t.Errorf("the pool: %v", err)
		}
		files.Close()
		if err := closeSites(); err != nil {
			t.Errorf("the store: %v", err)
		}
	})
	return server.URL + "/tools/console/"
}

func plain(h http.Handler) http.Handler { return h }

func keys(t *testing.T) farwire.Authenticator {
	t.Helper()
	auth, err := farwire.APIKeys(map[string]string{hostKey: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	return auth
}

// Where the host knows its callers, the page asks for no key and sends none.
func TestKey_HostNamesTheCaller_IsNotAsked(t *testing.T) {
	t.Parallel()
	url := host(t, console.Options{NoKey: true}, farwire.Options{Auth: keys(t)}, false, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-API-Key") == "" && r.URL.Query().Get("token") == "" {
				r = r.WithContext(farwire.WithPrincipal(r.Context(), farwire.Principal{Subject: "bob of the intranet"}))
			}
			h.ServeHTTP(w, r)
		})
	})
	echo := harness.Target(t, harness.Echo) + "/stream"
	p := open(t, desktop, url)
	p.expect("404 (Not Found)") // of what this host does not offer
	p.await(`!document.querySelector('#panels').hidden`)
	p.says("#subject", "bob of the intranet")
	p.fill("#relay-url", echo)
	p.click("#relay-connect")
	p.says("#relay-status", "Connected through farwire-de1")
	p.click("#tab-amqp")
	p.fill("#amqp-host", "127.0.0.1")
	p.fill("#amqp-port", "1")
	p.click("#amqp-start")
	p.says("#amqp-notice", "Nothing listens at that address.")
	p.click("#tab-crawl")
	p.fill("#crawl-url", site(t, manual, nil))
	p.click("#crawl-start")
	p.says("#crawl-status", "Done.")
	p.click("#tab-network")
	p.says("#network-rows", "DE · Germany")
	if !eval[bool](p, `document.querySelector('#sessions').hidden`) {
		t.Error("sessions are shown that the host does not offer")
	}

	// A key of one's own may be used all the same.
	p.click("#leave")
	p.await(`!document.querySelector('#welcome').hidden`)
	p.enter(hostKey)
	p.says("#subject", "alice")
}

// A site is enrolled; its secret is shown then and never again.
func TestEnrol_Site_ShowsItsSecretOnce(t *testing.T) {
	t.Parallel()
	url := host(t, console.Options{}, farwire.Options{Auth: keys(t)}, true, plain)
	p := open(t, desktop, url)
	p.expect("404 (Not Found)") // of what this host does not offer
	p.enter(hostKey)
	p.click("#tab-crawl")
	manualURL := site(t, manual, nil)
	p.fill("#crawl-url", manualURL)
	p.click("#crawl-update")
	p.fill("#crawl-every", "12")
	p.choose("#crawl-unit", "60")
	p.click("#crawl-start")
	p.says("#crawl-status", "Done.")
	p.says("#crawl-hosted", "Webhook secret")
	p.says("#crawl-hosted", manualURL)
	p.says("#crawl-feed", "it is crawled again every 12 hours")
	p.shot("enrolled")
	secret := p.text("#crawl-hosted code.secret")
	if len(secret) < 16 {
		t.Errorf("the secret is %q", secret)
	}
	if _, file := harness.Get(t, eval[string](p, `document.querySelector('#crawl-hosted a').href`)); !strings.HasPrefix(file, "# The Harbour Manual") {
		t.Errorf("the hosted file is %.100q", file)
	}
	p.click(`#crawl-hosted button[aria-label="Copy webhook secret"]`)
	p.await(`document.querySelector('#crawl-hosted button[aria-label="Copy webhook secret"]').innerText !== 'Copy'`)

	p.click("#crawl-start")
	p.await(`document.querySelector('#crawl-status').innerText === 'Done.' && document.querySelector('#crawl-hosted').innerText.includes('when it was enrolled')`)
	if whole := eval[string](p, `document.documentElement.innerHTML`); strings.Contains(whole, secret) {
		t.Error("the secret is still in the page")
	}

	// The site is listed, compared, and left.
	p.says("#sites-rows", manualURL)
	p.says("#sites-rows", "Next crawl")
	p.says("#sites-rows", "every 12 hours")
	p.click(`#sites-rows [aria-label^="Changes of"]`)
	p.says("#sites-rows", "Nothing has changed.")
	p.shot("sites")
	p.click("#tab-network")
	p.says("#usage-cards", "1 kept up to date")
	p.says("#usage-cards", "16 today")
	p.click("#tab-crawl")
	p.click(`#sites-rows [aria-label^="Leave"]`)
	p.says("#sites-rows", "Leave for good?")
	// The question is asked again after five seconds, which may have passed.
	p.await(`document.querySelector('#sites').hidden || (document.querySelector('#sites-rows [aria-label^="Leave"]:not(:disabled)')?.click(), false)`)
}

func TestEnrol_Refused_IsShown(t *testing.T) {
	t.Parallel()
	p := open(t, desktop, host(t, console.Options{}, farwire.Options{Auth: keys(t)}, false, plain))
	p.expect("404 (Not Found)") // of what this host does not offer
	p.enter(hostKey)
	p.click("#tab-crawl")
	p.fill("#crawl-url", site(t, manual, nil))
	p.click("#crawl-update")
	p.click("#crawl-start")
	p.says("#crawl-notice", "This gateway does not keep sites up to date.")
}

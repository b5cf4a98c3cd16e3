//go:build unix

package browser

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/browser"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

// escapes are what a page can try to reach an address with; %[1]s is one,
// host:port.
var escapes = map[string]string{
	"location":      `<script>location.href = "http://%[1]s/"</script>`,
	"replace":       `<script>setTimeout(() => location.replace("http://%[1]s/"), 300)</script>`,
	"meta refresh":  `<meta http-equiv=refresh content="0;url=http://%[1]s/">`,
	"form":          `<form method=post action="http://%[1]s/"></form><script>document.forms[0].submit()</script>`,
	"link":          `<a id=a href="http://%[1]s/" ping="http://%[1]s/">x</a><script>a.click()</script>`,
	"window.open":   `<script>open("http://%[1]s/")</script><a id=b target=_blank href="http://%[1]s/">x</a><script>b.click()</script>`,
	"other window":  `<iframe id=i></iframe><script>i.contentWindow.open("http://%[1]s/"); i.contentWindow.fetch("http://%[1]s/", {mode: "no-cors"}).catch(() => {})</script>`,
	"iframe":        `<iframe src="http://%[1]s/"></iframe><iframe srcdoc="<img src='http://%[1]s/'><script>fetch('http://%[1]s/', {mode: 'no-cors'})</script>"></iframe><iframe sandbox="allow-scripts" srcdoc="<script>fetch('http://%[1]s/', {mode: 'no-cors'})</script>"></iframe>`,
	"frame by data": `<iframe src="data:text/html,<script>fetch('http://%[1]s/',{mode:'no-cors'})</script>"></iframe>`,
	"fetch":         `<script>fetch("http://%[1]s/", {mode: "no-cors", targetAddressSpace: "private"}).catch(() => {}); fetch("http://%[1]s/", {mode: "no-cors", keepalive: true, method: "POST"}).catch(() => {})</script>`,
	"https":         `<script>fetch("https://%[1]s/", {mode: "no-cors"}).catch(() => {})</script>`,
	"xhr":           `<script>const x = new XMLHttpRequest(); x.open("GET", "http://%[1]s/"); x.send()</script>`,
	"websocket":     `<script>new WebSocket("ws://%[1]s/"); new WebSocket("wss://%[1]s/")</script>`,
	"event source":  `<script>new EventSource("http://%[1]s/")</script>`,
	"beacon":        `<script>navigator.sendBeacon("http://%[1]s/", "x")</script>`,
	"hints":         `<link rel=preconnect href="http://%[1]s/"><link rel=dns-prefetch href="http://%[1]s/"><link rel=prefetch href="http://%[1]s/"><link rel=preload as=script href="http://%[1]s/"><link rel=modulepreload href="http://%[1]s/"><link rel=prerender href="http://%[1]s/">`,
	"speculation":   `<script type=speculationrules>{"prefetch": [{"urls": ["http://%[1]s/"]}], "prerender": [{"urls": ["http://%[1]s/"]}]}</script>`,
	"resources":     `<script src="http://%[1]s/"></script><script type=module>import "http://%[1]s/"</script><link rel=stylesheet href="http://%[1]s/"><style>@import url(http://%[1]s/); body { background: url(http://%[1]s/) }</style><img src="http://%[1]s/"><video src="http://%[1]s/" autoplay></video><object data="http://%[1]s/"></object><embed src="http://%[1]s/">`,
	"worker":        `<script>new Worker(URL.createObjectURL(new Blob(["fetch('http://%[1]s/',{mode:'no-cors'}); new WebSocket('ws://%[1]s/')"])))</script>`,
	"shared worker": `<script>new SharedWorker(URL.createObjectURL(new Blob(["fetch('http://%[1]s/',{mode:'no-cors'})"])))</script>`,
	"worker's own":  `<script>new Worker("/worker.js")</script>`,
	"webrtc":        `<iframe id=i></iframe><script>for (const w of [window, i.contentWindow]) { try { const c = new w.RTCPeerConnection({iceServers: [{urls: "stun:%[1]s"}, {urls: "turn:%[1]s?transport=tcp", username: "u", credential: "c"}]}); c.createDataChannel("x"); c.createOffer().then((o) => c.setLocalDescription(o)) } catch {} }</script>`,
	"webtransport":  `<iframe id=i></iframe><script>for (const w of [window, i.contentWindow]) { try { new w.WebTransport("https://%[1]s/") } catch {} }</script>`,
	"download":      `<a id=a download href="http://%[1]s/">x</a><script>a.click()</script>`,
	"redirected":    `<script>fetch("/redirect?to=http://%[1]s/", {mode: "no-cors"}).catch(() => {})</script><script src="/redirect?to=http://%[1]s/"></script>`,
	"moved":         `<script>location.href = "/redirect?to=http://%[1]s/"</script>`,
	"credentials":   `<script>fetch("/ask", {credentials: "include"}).catch(() => {})</script>`,
}

// Pages try to reach a listener on loopback, by every name that it has.
func TestPage_EveryKindOfRequest_PassesTheGuard(t *testing.T) {
	canaries := map[string]*canary{} // one for each page
	for name := range escapes {
		canaries[name] = newCanary(t)
	}
	pages := map[string]http.HandlerFunc{
		"/redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
		},
		"/worker.js": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprintf(w, `fetch("http://127.0.0.1:%[1]s/", {mode: "no-cors"}); new WebSocket("ws://localhost:%[1]s/"); importScripts("http://127.0.0.1:%[1]s/")`, canaries["worker's own"].port)
		},
	}
	secrets := make(chan string, 100)
	pages["/ask"] = func(w http.ResponseWriter, r *http.Request) { // as a proxy would, and as a server
		for _, name := range []string{"Proxy-Authorization", "Authorization"} {
			if s := r.Header.Get(name); s != "" {
				secrets <- s
			}
		}
		w.Header().Set("Proxy-Authenticate", `Basic realm="farwire"`)
		w.Header().Set("WWW-Authenticate", `Basic realm="farwire"`)
		w.WriteHeader([]int{http.StatusProxyAuthRequired, http.StatusUnauthorized}[len(r.URL.RawQuery)%2])
	}
	path := func(name string) string { return "/" + strings.ReplaceAll(name, " ", "-") }
	for name, html := range escapes {
		var all strings.Builder
		for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "sub.localhost", "127.1", "0x7f000001", "[::ffff:127.0.0.1]", "0.0.0.0"} {
			if strings.Contains(html, "%[1]s") {
				fmt.Fprintf(&all, html, host+":"+canaries[name].port)
			}
		}
		if all.Len() == 0 {
			all.WriteString(html)
		}
		pages[path(name)] = page("<p>" + words + "</p>" + all.String())
	}
	w := newWorld(t, pages, func(o *browser.Options) { o.Tabs = 8 }) // most of a page's time is waiting for what comes of it
	var wg sync.WaitGroup
	for name := range escapes {
		wg.Go(func() { w.show(path(name)) }) // whatever comes of it
	}
	wg.Wait()
	time.Sleep(500 * time.Millisecond) // a late one may come after its page
	for name, canary := range canaries {
		if n := canary.hits.Load(); n > 0 {
			t.Errorf("%s: the canary was reached %d times", name, n)
		}
	}
	close(secrets)
	for s := range secrets {
		t.Errorf("the site was told %q", s)
	}

	// The same pages do reach it through an exit that allows that, or all of
	// this would prove nothing.
	open, err := agent.Direct(agent.DirectOptions{AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	through := w.exit
	through.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if strings.HasPrefix(addr, "site.test:") {
			return w.exit.DialContext(ctx, network, addr)
		}
		return open.DialContext(ctx, network, addr)
	}
	for _, name := range []string{"fetch", "websocket", "worker", "resources", "redirected", "hints", "worker's own"} {
		wg.Go(func() {
			// A page may settle before its worker has begun.
			for tries := 0; tries < 10 && canaries[name].hits.Load() == 0; tries++ {
				w.Render(t.Context(), farwire.RenderPage{URL: "http://site.test" + path(name), Exit: through})
			}
			if canaries[name].hits.Load() == 0 {
				t.Errorf("%s: the canary was not reached even though the exit allows it", name)
			}
		})
	}
	wg.Wait()
}

// Another user of the machine could ask the browser's proxy like this.
func TestProxy_WithoutCredentials_IsRefused(t *testing.T) {
	w := newWorld(t, map[string]http.HandlerFunc{"/": page("<p>" + words + "</p>"), "/hangs": page(`<p id=p></p><script>setInterval(() => { p.textContent = Date.now() }, 50)</script>`)})
	done := make(chan struct{})
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		defer close(done)
		w.Render(ctx, farwire.RenderPage{URL: "http://site.test/hangs", Exit: w.exit})
	}()
	eventually(t, "a page", time.Minute, func() bool { return w.paths()["/hangs"] > 0 })
	proxy := proxyOf(t, leader(t, w.tmp))
	for name, credentials := range map[string]string{"none": "", "wrong": "Proxy-Authorization: Basic dXNlcjpwYXNz\r\n", "broken": "Proxy-Authorization: Basic %%%\r\n", "other scheme": "Proxy-Authorization: Bearer x\r\n"} {
		for _, request := range []string{"GET http://site.test/ HTTP/1.1\r\nHost: site.test\r\n", "CONNECT site.test:80 HTTP/1.1\r\nHost: site.test:80\r\n", "GET / HTTP/1.1\r\nHost: site.test\r\n"} {
			conn, err := net.Dial("tcp", proxy)
			if err != nil {
				t.Fatal(err)
			}
			conn.SetDeadline(time.Now().Add(harness.Timeout))
			fmt.Fprintf(conn, "%s%sConnection: close\r\n\r\n", request, credentials)
			answer := make([]byte, 12)
			if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "HTTP/1.1 407" {
				t.Errorf("%s credentials: %q, %v", name, answer, err)
			}
			conn.Close()
		}
	}
	leave()
	<-done
	if n := w.paths()["/"]; n != 0 {
		t.Errorf("the site was asked %d times", n)
	}
}

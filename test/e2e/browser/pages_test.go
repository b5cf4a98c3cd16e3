//go:build unix

package browser

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/farwire/farwire/adapters/browser"
)

// nav is what many pages have before their scripts run: enough words not to
// count as empty.
var nav = "<nav>" + strings.Repeat("<a href=/x>A link of the menu</a> ", 20) + "</nav>"

func later(ms int) string {
	return fmt.Sprintf(`<script>setTimeout(() => { const p = document.createElement("p"); p.id = "late"; p.textContent = %q; document.body.append(p) }, %d)</script>`, "What comes late. "+words, ms)
}

// TestRender_EachKindOfPage_HasItsText shows pages of all kinds.
func TestRender_EachKindOfPage_HasItsText(t *testing.T) {
	api := func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(700 * time.Millisecond) // a slow service: a page is still for less when it has settled
		fmt.Fprint(w, "What the service says. "+words)
	}
	pages := map[string]http.HandlerFunc{
		"/late":          page(`<div id=root></div>` + later(1500)),
		"/late-menu":     page(nav + later(1500)),
		"/late-promised": page(nav + `<script>(async () => { await new Promise(r => setTimeout(r, 800)); await new Promise(r => setTimeout(r, 900)); document.body.append("What comes late. ") })()</script>`),
		"/slow":          page(nav + `<script>fetch("/api").then(r => r.text()).then(t => document.body.append(t))</script>`),
		"/slow-twice":    page(nav + `<script>fetch("/api").then(() => fetch("/api")).then(r => r.text()).then(t => document.body.append(t))</script>`),
		"/api":           api,
		"/dialogs": page(`<script>
			alert("1"); const c = confirm("2"), p = prompt("3");
			addEventListener("beforeunload", (e) => { e.preventDefault(); e.returnValue = "4" });
			document.write("<p>Said " + c + " and " + p + ". ` + words + `</p>")</script>`),
		"/popup": page(`<script>const w = window.open("/popup-of", "_blank"); document.write("<p>Opened " + w + ". ` + words + `</p>")</script>`),
		"/shadow": page(`<my-page><b slot=name>The word in the light</b></my-page><script>
			customElements.define("my-page", class extends HTMLElement { connectedCallback() {
				this.attachShadow({mode: "open"}).innerHTML = "<p>Before the slot: <slot name=name></slot>. ` + words + `</p>" } })</script>`),
		"/frames": page(`<div id=root></div><script>
			requestAnimationFrame(() => requestAnimationFrame(() => { root.insertAdjacentHTML("beforeend", "<p>A frame was drawn. ` + words + `</p>") }));
			new IntersectionObserver((e) => { if (e[0].isIntersecting) root.insertAdjacentHTML("beforeend", "<p>It can be seen.</p>") }).observe(root);
			new ResizeObserver(() => root.insertAdjacentHTML("beforeend", "<p>It has a size.</p>")).observe(root)</script>`),
		"/moves":  page(`<script>location.replace("/moved")</script>`),
		"/moved":  page(`<p>Where it moved to. ` + words + `</p>`),
		"/pushes": page(`<div id=root></div><script>history.pushState({}, "", "/elsewhere/deep"); root.innerHTML = '<p>` + words + `</p><a href="next">next</a>'</script>`),
		"/leaves": page(`<script>location.href = "http://other.test/moved"</script>`),
		"/attached": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Disposition", "attachment")
			fmt.Fprint(w, words)
		},
		"/binary": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/octet-stream")
			fmt.Fprint(w, words)
		},
		"/saves": page(`<p>` + words + `</p><a id=a href="/attached" download="loot.txt">x</a><script>a.click();
			const b = document.createElement("a"); b.href = URL.createObjectURL(new Blob(["loot"])); b.download = "loot2.txt"; b.click()</script>`),
		"/features": page(`<p>` + words + `</p><script>document.body.append("has " + ["serviceWorker" in navigator, typeof RTCPeerConnection, typeof WebTransport].join(" ") + " has; agent " + navigator.userAgent)</script>`),
		"/json":     page(`<p>` + words + `</p><script type="application/ld+json">{"name":"a </p> in data"}</script><style>p { color: red }</style><svg><text>drawn</text></svg>`),
		"/closes":   page(`<p>` + words + `</p><script>window.close()</script>`),
	}
	w := newWorld(t, pages, patient)
	for path, want := range map[string][]string{
		"/late":          {"What comes late. "},
		"/late-menu":     {"What comes late. "},
		"/late-promised": {"What comes late. "},
		"/slow":          {"What the service says. "},
		"/slow-twice":    {"What the service says. "},
		"/dialogs":       {"Said false and null. "},
		"/popup":         {"Opened null. "},
		"/shadow":        {"<p>Before the slot: <b slot=\"name\">The word in the light</b>. "},
		"/frames":        {"A frame was drawn.", "It can be seen.", "It has a size."},
		"/moves":         {"Where it moved to. "},
		"/pushes":        {`<a href="http://site.test/elsewhere/next">`},
		"/saves":         {"These are the words"},
		"/features":      {"has false undefined undefined has; agent Mozilla/5.0", " farwire/1 (+https"},
		"/json":          {`<script type="application/ld+json">{"name":"a <\/p> in data"}</script>`},
		"/closes":        {"These are the words"},
	} {
		t.Run(path, func(t *testing.T) {
			shown, err := w.show(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range want {
				if !strings.Contains(string(shown.HTML), text) {
					t.Errorf("no %q in %.2000s", text, shown.HTML)
				}
			}
			if shown.By != "a local Chromium" || shown.Bytes == 0 || shown.Time <= 0 {
				t.Errorf("by %q, %d bytes, %v", shown.By, shown.Bytes, shown.Time)
			}
		})
	}
	for path, want := range map[string]string{
		"/leaves":   "the page leads to http://other.test",
		"/attached": "the page is a download",
		"/binary":   "the page is a download",
	} {
		t.Run(path, func(t *testing.T) {
			shown, err := w.show(path)
			if detail(err) != want {
				t.Errorf("got %v, %.300s", err, shown.HTML)
			}
		})
	}
	if w.paths()["/popup-of"] != 0 {
		t.Error("a window was opened")
	}
	err := filepath.WalkDir(w.tmp, func(path string, _ os.DirEntry, err error) error {
		if strings.Contains(path, "loot") || strings.HasSuffix(path, "attached") {
			t.Errorf("%s was saved", path)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if s := w.Stats(); s.Starts != 1 || s.Active != 0 || s.Waiting != 0 || s.Bytes == 0 || s.Time == 0 {
		t.Errorf("%+v", s)
	}
}

// TestRender_ImagesAndMedia_AreNotLoaded has a page with everything that adds no words.
func TestRender_ImagesAndMedia_AreNotLoaded(t *testing.T) {
	ok := func(http.ResponseWriter, *http.Request) {}
	w := newWorld(t, map[string]http.HandlerFunc{
		"/": page(`<link rel=stylesheet href=/style.css><link rel=icon href=/icon.png><link rel=manifest href=/manifest.json><link rel=prefetch href=/prefetched.html>
			<style>@font-face { font-family: f; src: url(/font.woff2) } p { font-family: f; background: url(/background.png) }</style>
			<p>` + words + `</p><img src=/image.png><picture><source srcset=/image.webp><img></picture><video src=/video.mp4 autoplay></video><audio src=/audio.mp3 autoplay></audio>
			<iframe src=/frame.html></iframe><object data=/object.html></object><script src=/script.js></script><script>navigator.sendBeacon("/beacon"); fetch("/data.json"); new Image().src = "/pixel.gif"</script>`),
		"/style.css": ok, "/script.js": ok, "/data.json": ok,
	}, patient)
	if _, err := w.show("/"); err != nil {
		t.Fatal(err)
	}
	got := w.paths()
	for _, path := range []string{"/", "/style.css", "/script.js", "/data.json"} {
		if got[path] != 1 {
			t.Errorf("%s was asked for %d times", path, got[path])
		}
		delete(got, path)
	}
	if len(got) > 0 {
		t.Errorf("asked for in vain: %v", got)
	}
}

// TestRender_PageNeverSettles_IsShownInTime gives pages their time and no more, and has them
// shown as they are by then. On a machine that is too busy for a page to have its words in
// its time, it is shown again with twice the time.
func TestRender_PageNeverSettles_IsShownInTime(t *testing.T) {
	pages := map[string]http.HandlerFunc{
		"/ticks":       page(`<p>` + words + `</p><p id=clock></p><script>setInterval(() => { clock.textContent = Date.now() }, 20)</script>`),
		"/polls":       page(`<p>` + words + `</p><p id=clock></p><script>setInterval(() => { clock.textContent = Date.now() }, 20); (async () => { for (;;) await fetch("/api") })()</script>`),
		"/empty":       page(`<div id=root></div><script>setInterval(() => { document.title = Date.now(); fetch("/api") }, 50)</script>`),
		"/loops":       page(`<p>Before the loop. ` + words + `</p><script>for (;;);</script>`),
		"/loops-later": page(`<p>Before the loop. ` + words + `</p><script>setTimeout(() => { for (;;); }, 100)</script>`),
		"/alerts":      page(`<p>Before the loop. ` + words + `</p><script>for (;;) alert("again")</script>`),
		"/reloads":     page(`<p>` + words + `</p><script>location.reload()</script>`),
		"/requests":    page(`<p>` + words + `</p><script>for (let i = 0; i < 5000; i++) fetch("/api?" + i).catch(() => {})</script>`),
		"/logs":        page(`<p>` + words + `</p><script>setInterval(() => { for (let i = 0; i < 20000; i++) console.log("flood", i) }, 1)</script>`),
		"/frames":      page(`<p>` + words + `</p><script>setInterval(() => { const f = document.createElement("iframe"); f.srcdoc = "x"; document.body.append(f) }, 5)</script>`),
		"/hangs":       func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"/trickles": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "<title>x</title><p>The first words. "+words+"</p>")
			for r.Context().Err() == nil {
				fmt.Fprint(w, "<p>More.</p>")
				w.(http.Flusher).Flush()
				time.Sleep(100 * time.Millisecond)
			}
		},
		"/api":  func(w http.ResponseWriter, _ *http.Request) { time.Sleep(20 * time.Millisecond) },
		"/fine": page(`<p>All is well. ` + words + `</p>`),
	}
	want := map[string]string{
		"/ticks": words, "/polls": words, "/empty": "<div id=\"root\">", "/loops": "Before the loop. ", "/loops-later": "Before the loop. ",
		"/alerts": "", "/reloads": "", "/logs": words, "/requests": words, "/frames": words, "/trickles": "The first words. ", "/hangs": "",
	}
	for limit := 6 * time.Second; len(want) > 0 && !t.Failed(); limit *= 2 {
		t.Run(limit.String(), func(t *testing.T) {
			w := newWorld(t, pages, func(o *browser.Options) { o.Timeout, o.Tabs = limit, 3 })
			want = showAll(t, w, want, limit)
		})
	}
}

// showAll shows each page in a tab whose time is limit, and returns those that were not
// there in that time with the text that they must have.
func showAll(t *testing.T, w *world, want map[string]string, limit time.Duration) (missing map[string]string) {
	const tidying = 2 * time.Second // each time that something is done without the page's help
	missing = map[string]string{}
	var mu sync.Mutex
	one := func(path string) {
		text := want[path]
		shown, err := w.show(path)
		inTime := shown.Time <= 2*(limit+2*tidying)
		if !inTime || text != "" && err != nil || !strings.Contains(string(shown.HTML), text) {
			t.Logf("%s: a tab for %v, %v, no %.20q in %.500s", path, shown.Time, err, text, shown.HTML)
			mu.Lock()
			missing[path] = text
			mu.Unlock()
		}
	}
	w.show("/fine") // starting the browser is no page's time
	// Those that want every core are shown one after another: how fast the
	// others are beside them is no matter of this test.
	hungry := []string{"/loops", "/loops-later", "/alerts", "/requests", "/logs"}
	var wg sync.WaitGroup
	for path := range want {
		if slices.Contains(hungry, path) {
			one(path)
		}
	}
	for path := range want {
		if !slices.Contains(hungry, path) {
			wg.Go(func() { one(path) })
		}
	}
	wg.Wait()
	if shown, err := w.show("/fine"); err != nil || !strings.Contains(string(shown.HTML), "All is well. ") {
		missing["/fine"] = "All is well. "
	}
	// One that has grown is replaced, and none of them brings it down. On a busy
	// machine one may miss its pulse, and its pages are among the missing.
	if s := w.Stats(); s.Starts > 2+int64(len(missing)) {
		t.Errorf("the browser was started %d times", s.Starts)
	}
	if limit > time.Minute && len(missing) > 0 {
		t.Errorf("not there in time with their text: %v", slices.Sorted(maps.Keys(missing)))
	}
	return missing
}

// Too many requests end their page as soon as they are counted, and not the browser.
func TestPage_TooManyRequests_IsEnded(t *testing.T) {
	w := newWorld(t, map[string]http.HandlerFunc{
		"/images": page(`<p>` + words + `</p><script>for (let i = 0; i < 2000; i++) new Image().src = "/api?" + i</script>`),
		"/fine":   page(`<p>All is well. ` + words + `</p>`),
	}, patient)
	if _, err := w.show("/images"); detail(err) != "the page makes too many requests" {
		t.Errorf("got %v", err)
	}
	if shown, err := w.show("/fine"); err != nil || !strings.Contains(string(shown.HTML), "All is well. ") {
		t.Errorf("afterwards: %v, %.200s", err, shown.HTML)
	}
	if s := w.Stats(); s.Starts > 2 {
		t.Errorf("the browser was started %d times", s.Starts)
	}
}

// TestRender_StateOfAnotherPage_IsNotSeen sets what a browser can remember, and looks for it.
func TestRender_StateOfAnotherPage_IsNotSeen(t *testing.T) {
	script := `<div id=root></div><script>
		const before = [document.cookie, localStorage.getItem("k"), sessionStorage.getItem("k")].join("|");
		document.cookie = "c=1; max-age=1000"; localStorage.setItem("k", "1"); sessionStorage.setItem("k", "1");
		root.textContent = "Found [" + before + "]. ` + words + `"</script>`
	w := newWorld(t, map[string]http.HandlerFunc{"/": page(script)}, patient)
	for range 2 {
		if shown, err := w.show("/"); err != nil || !strings.Contains(string(shown.HTML), "Found [||]. ") {
			t.Errorf("%v, %.300s", err, shown.HTML)
		}
	}
}

// TestRender_DocumentTooLarge_IsCut has a document that is larger than anyone wants.
func TestRender_DocumentTooLarge_IsCut(t *testing.T) {
	w := newWorld(t, map[string]http.HandlerFunc{
		"/wide": page(`<script>for (let i = 0; i < 20000; i++) { const p = document.createElement("p"); p.textContent = "ünd " + i; document.body.append(p) }</script>`),
		"/long": page(`<script>document.body.append("ü".repeat(1000000))</script>`),
	}, func(o *browser.Options) { o.MaxBytes, o.Timeout = 100_000, time.Minute }) // or a busy machine shows less
	for _, path := range []string{"/wide", "/long"} {
		for try := 1; ; try++ {
			shown, err := w.show(path)
			if err == nil && len(shown.HTML) <= 100_000 && len(shown.HTML) >= 99_000 && utf8.Valid(shown.HTML) {
				break
			}
			if try == 6 || len(shown.HTML) > 100_000 || !utf8.Valid(shown.HTML) { // else a busy machine showed less
				t.Errorf("%s: %d bytes, %v", path, len(shown.HTML), err)
				break
			}
		}
	}
}

// Pages take all the memory that they can get, and only their own tab ends.
func TestPage_TakesAllMemory_OnlyItsTabEnds(t *testing.T) {
	pages := map[string]http.HandlerFunc{
		"/fine":    page(`<p>All is well. ` + words + `</p>` + later(1500)),
		"/strings": page(`<script>const all = []; setInterval(() => { for (let i = 0; i < 100; i++) all.push(new Array(10000).fill(Math.random())) }, 1)</script>`),
		"/buffers": page(`<script>const all = []; setInterval(() => all.push(new Uint8Array(50 << 20).fill(1)), 50)</script>`),
		"/nodes":   page(`<script>setInterval(() => { for (let i = 0; i < 2000; i++) document.body.append(document.createElement("p")) }, 1)</script>`),
		"/deep":    page(`<script>let at = document.body; for (let i = 0; i < 30000; i++) { const d = document.createElement("div"); at.append(d); at = d }</script>`),
	}
	w := newWorld(t, pages)
	for _, path := range []string{"/strings", "/buffers", "/nodes", "/deep"} {
		t.Run(path, func(t *testing.T) {
			var wg sync.WaitGroup
			wg.Go(func() {
				if shown, err := w.show("/fine"); err != nil || !strings.Contains(string(shown.HTML), "All is well. ") {
					t.Errorf("beside it: %v, %.200s", err, shown.HTML)
				}
			})
			shown, err := w.show(path)
			t.Logf("%d bytes, %v after %v", len(shown.HTML), err, shown.Time)
			if err == nil && len(shown.HTML) > 4<<20 {
				t.Errorf("%d bytes", len(shown.HTML))
			}
			wg.Wait()
		})
	}
	if memory := residentMemory(t, w.tmp); memory > 1<<30 {
		t.Errorf("the browser has %d MB", memory>>20)
	}
}

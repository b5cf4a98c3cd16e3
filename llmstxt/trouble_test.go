package llmstxt_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// What a site sends for any address that is not there, in whatever words, is no page.
func TestCrawl_WhatNothingGets_IsLeftOutInAnyLanguage(t *testing.T) {
	for title, text := range map[string]string{
		"Stranica nije pronađena - Kuća": "Žao nam je, stranica koju tražite je premještena.", "Puslapis nerastas": "Atsiprašome, tokio puslapio nėra.", "Страницата не е намерена": "За съжаление страницата, която търсите, липсва.",
		"Lapa nav atrasta": "Diemžēl lapa netika atrasta.", "صفحه مورد نظر یافت نشد": "متاسفانه صفحه مورد نظر شما یافت نشد.", "Lost?": "We looked everywhere but this one seems to have wandered off. Try the menu.", "Dead end": "It went on holiday.",
	} {
		for _, dead := range []string{"/gone-tea", "/shop/item?name=teapot", "/чай"} {
			w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a", dead, "/b", "/start"), "http://docs.test/a": doc("A"), "http://docs.test/b": doc("B")}}
			// The site has a short page that says none of its address, too.
			w.pages["http://docs.test/start"] = html("<title>Welcome</title><main><h1>Welcome</h1><p>Tea for all of us.</p></main>")
			w.handler = func(r *http.Request) (answer, bool) {
				if _, ok := w.pages[r.URL.String()]; ok || strings.Contains(r.URL.Path, ".") {
					return answer{}, false
				}
				return html("<title>" + title + "</title><nav><a href=/>Home</a></nav><main><h1>" + title + "</h1><p>" + text + "</p></main>"), true
			}
			s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
			if got := urls(s); !slices.Equal(got, []string{"/", "/a", "/b", "/start"}) || s.Stats.Skipped[llmstxt.SkipNotFound] != 1 {
				t.Errorf("%s, %s: %v, %v", title, dead, got, s.Skipped)
			}
		}
	}
}

// A page that says with a status of 200 that there is trouble is not in the file. If it may be a
// page later, it is lost.
func TestCrawl_TroubleWithStatus200_IsNoPage(t *testing.T) {
	for page, lost := range map[string]int{
		"<title>Site under maintenance</title><h1>We'll be back soon!</h1><p>Sorry for the inconvenience.</p>": 1, "<title>Wartungsarbeiten</title><h1>Wartungsarbeiten</h1><p>Bitte versuchen Sie es später erneut.</p>": 1,
		"<title>Maintenance mode | Kettle</title><h1>Briefly unavailable for scheduled maintenance.</h1>": 1, "<title>Kettle</title><h1>メンテナンス中</h1>": 1, "<title>Сайт на обслуживании</title><p>Скоро вернёмся.</p>": 1,
		"<title>502 Bad Gateway</title><center><h1>502 Bad Gateway</h1></center><hr><center>nginx</center>": 1, "<title>Database Error</title><h1>Error establishing a database connection</h1>": 1, "<title>500 - Server error</title><h1>Internal server error</h1>": 1,
		"<title>Too many requests</title><h1>Too many requests</h1><p>Try again later.</p>": 1, "<title>Kettle – Rate limit exceeded</title><p>Slow down.</p>": 1, "<title>429</title><h1>Zu viele Anfragen</h1>": 1,
		"<title>Access denied | Kettle</title><h1>Access denied</h1><p>You are not authorized to access this page.</p>": 0, "<title>403 Forbidden</title><h1>Forbidden</h1><p>You don't have permission to access this resource.</p>": 0,
		"<title>Zugriff verweigert</title><h1>Zugriff verweigert</h1>": 0, "<title>Acceso denegado</title><p>No tiene permiso.</p>": 0, "<title>访问被拒绝</title><p>请联系管理员。</p>": 0,
	} {
		for _, at := range []string{"/pots", "/tea/12", "/?p=12", "/docs/pots", "/node/20"} {
			w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a", at), "http://docs.test/a": doc("A"), "http://docs.test" + at: html(page)}}
			s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
			if got := urls(s); !slices.Equal(got, []string{"/", "/a"}) || s.Stats.Skipped[llmstxt.SkipStatus] != 1 || len(s.Lost) != lost {
				t.Errorf("%s, %s: %v, %v, lost %v", at, page, got, s.Skipped, s.Lost)
			}
		}
		// A site that is all trouble has no file.
		w := &web{pages: map[string]answer{"http://docs.test/": html(page)}}
		if s, err := llmstxt.Crawl(t.Context(), "http://docs.test/", llmstxt.Options{Client: w.client(), Retries: -1}); err == nil {
			t.Errorf("%s is the file of a site: %v", page, urls(s))
		}
	}
}

// Documentation about trouble is read: its address has a word of it, or is that of a page about
// errors, or it says more.
func TestCrawl_PagesAboutTrouble_AreKept(t *testing.T) {
	short := func(title string) string {
		return "<title>" + title + "</title><h1>" + title + "</h1><p>The client is sent away.</p>"
	}
	for at, page := range map[string]string{
		"/access-denied": short("Access denied"), "/kb/access-denied.html": short("Access denied"), "/errors/E1015": short("Permission denied"), "/status/503": short("Service unavailable"), "/reference/429": short("Too many requests"), "/http/forbidden": short("403 Forbidden"),
		"/codes?id=12": short("Access denied"), "/limits/rate": short("Rate limit exceeded"), "/maintenance": short("Scheduled maintenance"), "/services/12": short("Elevator maintenance"), "/pots/1": short("Maintenance"), "/pots/2": short("Forbidden fruit"),
		"/pots/3": short("Error 5003"), "/pots/4": short("How to fix access denied"), "/%D0%94%D0%BE%D1%81%D1%82%D1%83%D0%BF": short("Доступ запрещён"), "/troubleshooting/7": short("Internal server error"), "/faq/8": short("Access denied"),
		"/pots/5":         "<title>Access denied</title><h1>Access denied</h1><p>" + strings.Repeat(gadget+" ", 8) + "</p>",
		"/docs/pots/6":    "<title>Access denied</title><h1>Access denied</h1><p>" + strings.Repeat(gadget+" ", 3) + "</p>",
		"/pots/7":         short("Access denied") + "<pre>sudo chown tea pot</pre>",
		"/incidents/x8d7": short("Scheduled maintenance") + "<p>From 2:00 to 4:00.</p>", "/blog/7": short("Scheduled maintenance") + "<p>On 1 May.</p>", "/t/pots/88": short("Service unavailable") + "<p>Since 9 o’clock.</p>", "/limits": short("Rate limit exceeded"),
		"/pots/8": "<title>Server error | Pots</title><h1>Pots that break</h1><p>The pot breaks.</p>",
	} {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a", at), "http://docs.test/a": doc("A"), "http://docs.test" + at: html(page)}}
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if len(s.Pages) != 3 {
			t.Errorf("%s, %s: %v, %v", at, page, urls(s), s.Skipped)
		}
	}
	// A site may have such a name.
	for _, home := range []string{short("Forbidden"), short("Permission denied"), short("Access denied | Rock from Leeds")} {
		w := &web{pages: map[string]answer{"http://docs.test/": html(home + "<a href=/a>Menu</a><a href=/b>Book</a><a href=/c>Find us</a><a href=/d>Jobs</a>"), "http://docs.test/a": doc("A")}}
		if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 2 {
			t.Errorf("%s: %v, %v", home, urls(s), s.Skipped)
		}
	}
}

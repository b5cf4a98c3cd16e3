package credentials

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// setCookies has an answer set cookies.
func setCookies(j *Jars, u *url.URL, lines ...string) {
	j.Keep(u, lines)
}

// sentCookies is what a request carries.
func sentCookies(j Jars, u *url.URL, given string) string {
	r := &http.Request{URL: u, Header: http.Header{}}
	if given != "" {
		r.Header.Set("Cookie", given)
	}
	j.Set(r)
	return r.Header.Get("Cookie")
}

// Whatever redirects set, few cookies are kept, and fewer bytes are sent.
func TestJars_HostileSetCookie_FewAreKept(t *testing.T) {
	u := weburl.Parse("http://docs.test/a/b")
	for name, value := range map[string]string{"small": "v", "large": strings.Repeat("v", 2400), "quoted": `"` + strings.Repeat("v ", 1000) + `"`} {
		var j Jars
		for hop := range 11 {
			var lines []string
			for i := range 100 {
				lines = append(lines, fmt.Sprintf("c%d-%d=%s; Path=/", hop, i, value))
			}
			setCookies(&j, u, lines...)
		}
		sent := sentCookies(j, u, "given=1")
		if kept := len(j[0].Cookies(u)); kept > 100 || j.Size() > 64<<10 || len(sent) > 16<<10+len("given=1") || !strings.HasPrefix(sent, "given=1; c0-0=") {
			t.Errorf("%s: %d cookies of %d bytes are kept, %d bytes are sent: %.100s", name, kept, j.Size(), len(sent), sent)
		}
		if setCookies(&j, u, "c0-0=other; Path=/"); !strings.Contains(sentCookies(j, u, ""), "c0-0=other") {
			t.Errorf("%s: a full jar has no room for a cookie that it has", name)
		}
	}
}

func TestJars_CookieAbove4096Bytes_IsIgnored(t *testing.T) {
	u := weburl.Parse("http://docs.test/")
	var j Jars
	fits := "fits=" + strings.Repeat("v", 4096-len("fits"))
	setCookies(&j, u, "large="+strings.Repeat("v", 4096), fits, "small=1")
	if got := sentCookies(j, u, ""); got != fits+"; small=1" {
		t.Errorf("%d bytes are sent: %.60s", len(got), got)
	}
}

// A page's own cookies go before those of the base page, the caller's before both.
func TestJars_SameName_LaterWins(t *testing.T) {
	u := weburl.Parse("http://docs.test/")
	var base Jars
	setCookies(&base, u, "a=base", "b=base", "c=base")
	page := Jars{base[0], nil}
	setCookies(&page, u, "a=page", "b=page")
	if got := sentCookies(page, u, "a=given"); got != "a=given; b=page; c=base" {
		t.Errorf("%s is sent", got)
	}
	if got := sentCookies(base, u, ""); got != "a=base; b=base; c=base" {
		t.Errorf("of the base page %s is sent", got)
	}
}

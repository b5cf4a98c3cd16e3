package pathform_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/pathform"
)

func header(lines ...string) http.Header {
	h := http.Header{}
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		h.Add(name, value)
	}
	return h
}

func TestOutgoing_WhatProxiesAdd_IsLeftOut(t *testing.T) {
	r := parse(t, "/to/-/https/api.test/x")
	h := header("X-Forwarded-For: 1.2.3.4", "X-Forwarded-User: a", "Forwarded: for=x", "Via: 1.1 y", "X-Real-IP: 1", "True-Client-IP: 1",
		"CF-Connecting-IP: 1", "Cf-Access-Jwt-Assertion: x", "X-Goog-IAP-JWT-Assertion: x", "X-Amzn-Oidc-Data: x", "X-Auth-Request-Email: x",
		"Remote-User: x", "Tailscale-User-Login: x", "X-Pomerium-Claim: x", "X-Authentik-Username: x", "X-MS-CLIENT-PRINCIPAL: x",
		"X-MS-CLIENT-PRINCIPAL-ID: x", "X-Client-IP: 1", "X-SSL-Client-Cert: x", "X-Mine: x", "X-Mine-Too: x",
		"Accept: */*", "X-Api-Key: theirs", "User-Agent: curl/8", "X-Custom: y")
	r.Outgoing(h, "alice", []string{"x-mine*"})
	var left []string
	for name := range h {
		left = append(left, name)
	}
	slices.Sort(left)
	if got := strings.Join(left, " "); got != "Accept User-Agent X-Api-Key X-Custom" {
		t.Errorf("left: %s", got)
	}
}

func TestOutgoing_OriginAndReferer_BecomeTheTargets(t *testing.T) {
	r := parse(t, "/to/key=secretsecretsecret/wss/api.test:443/x")
	for referer, want := range map[string]string{
		"https://gw.test/to/key=secretsecretsecret/https/api.test/page?q=1": "https://api.test/page?q=1",
		"https://gw.test/to/-/https/other.test/page":                        "https://api.test/",
		"https://gw.test/console":                                           "https://api.test/",
	} {
		h := header("Origin: https://app.test", "Referer: "+referer)
		r.Outgoing(h, "alice", nil)
		if h.Get("Origin") != "https://api.test" || h.Get("Referer") != want {
			t.Errorf("%s: %v", referer, h)
		}
	}
	h := header()
	r.Outgoing(h, "alice", nil)
	if len(h) != 0 {
		t.Errorf("added %v", h)
	}
}

func TestOutgoing_BasicOfABrowser_IsNotSentOn(t *testing.T) {
	r := parse(t, "/to/-/https/api.test/x")
	for line, sent := range map[string]bool{"Sec-Fetch-Site: none": false, "User-Agent: Mozilla/5.0 (X11)": false, "User-Agent: curl/8": true} {
		h := header("Authorization: bAsic abc", line)
		r.Outgoing(h, "alice", nil)
		if got := h.Get("Authorization") != ""; got != sent {
			t.Errorf("%s: sent is %v", line, got)
		}
		h = header("Authorization: Bearer abc", line)
		if r.Outgoing(h, "alice", nil); h.Get("Authorization") == "" {
			t.Errorf("%s: Bearer is missing", line)
		}
	}
}

func TestIncoming_Policies_AreTheGateways(t *testing.T) {
	r := parse(t, "/to/-/https/api.test/x")
	h := header("Content-Security-Policy: default-src *", "Content-Security-Policy-Report-Only: x", "Service-Worker-Allowed: /", "Clear-Site-Data: \"*\"",
		"Strict-Transport-Security: max-age=1", "Alt-Svc: h3", "NEL: x", "Report-To: x", "Reporting-Endpoints: x", "Cross-Origin-Opener-Policy: x",
		"Cross-Origin-Resource-Policy: x", "Permissions-Policy: x", "X-Frame-Options: DENY", "Accept-CH: x", "Speculation-Rules: x", "Set-Login: logged-in", "Observe-Browsing-Topics: ?1", "Origin-Trial: x",
		"Access-Control-Allow-Origin: https://x", "Access-Control-Allow-Methods: x", "Cache-Control: public, max-age=60, S-Maxage=10", "CDN-Cache-Control: x",
		"Cloudflare-CDN-Cache-Control: x", "Surrogate-Control: x", "Vary: Accept", "X-Farwire-From: gateway", "ETag: y", "WWW-Authenticate: Basic", "Refresh: 3; URL='/next'",
		"Location: //cdn.test/a", "Content-Location: y?z", "Feature-Policy: x")
	r.Incoming(h, pathform.Answer{Caller: "alice", Request: header("Origin: null", "User-Agent: Mozilla/5.0"), Node: "farwire-de1"})
	for name, want := range map[string]string{
		"Content-Security-Policy": "sandbox; default-src 'none'; form-action 'none'; base-uri 'none'",
		"X-Content-Type-Options":  "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "private, max-age=60",
		"Access-Control-Allow-Origin": "null", "Access-Control-Allow-Credentials": "true", "X-Farwire-Node": "farwire-de1", "X-Farwire-From": "target",
		"Etag": "y", "Refresh": "3; url=/to/-/https/api.test/next",
		"Location": "/to/-/https/cdn.test/a", "Content-Location": "/to/-/https/api.test/y?z",
	} {
		if got := strings.Join(h.Values(name), "|"); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := strings.Join(h.Values("Vary"), ", "); got != "Accept, Origin, X-API-Key, Authorization, Cookie" {
		t.Errorf("Vary is %q", got)
	}
	exposed := strings.Split(h.Get("Access-Control-Expose-Headers"), ", ")
	for name := range h {
		if safe := name == "Content-Type"; !safe && !strings.HasPrefix(name, "Access-Control-") && !slices.Contains(exposed, name) {
			t.Errorf("%s is not among the exposed %q", name, exposed)
		}
	}
	for _, gone := range []string{"Service-Worker-Allowed", "Clear-Site-Data", "Strict-Transport-Security", "Alt-Svc", "Nel", "Report-To", "Reporting-Endpoints",
		"Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy", "Permissions-Policy", "Feature-Policy", "X-Frame-Options", "Accept-Ch", "Speculation-Rules", "Set-Login", "Observe-Browsing-Topics", "Origin-Trial",
		"Content-Security-Policy-Report-Only", "Access-Control-Allow-Methods", "Cdn-Cache-Control", "Cloudflare-Cdn-Cache-Control", "Surrogate-Control", "Www-Authenticate"} {
		if _, ok := h[gone]; ok {
			t.Errorf("%s is still there", gone)
		}
	}
	h = header("WWW-Authenticate: Basic")
	if r.Incoming(h, pathform.Answer{Request: header("User-Agent: curl/8")}); h.Get("WWW-Authenticate") == "" {
		t.Error("a program does not get WWW-Authenticate")
	}
}

// A cookie comes back to the target that set it, for the caller and the options
// that it was set for, and to nobody else.
func TestCookies_SetByATarget_ReturnToItAlone(t *testing.T) {
	const options = "geo=DE;session=a"
	r := parse(t, "/to/key=0123456789abcdef;"+options+"/https/api.test/x")
	h := header("Set-Cookie: sid=1=2; Domain=test; Path=/a; SameSite=Strict; Max-Age=60", "Set-Cookie: __Host-b=x; Secure; Path=/; Expires=Wed, 01 Jan 2031 00:00:00 GMT")
	r.Incoming(h, pathform.Answer{Caller: "alice", Request: header(), HTTPS: true})
	var jar []string
	for _, line := range h["Set-Cookie"] {
		pair, attributes, _ := strings.Cut(line, "; ")
		jar = append(jar, pair)
		if strings.Contains(attributes, "Domain") || !strings.HasSuffix(attributes, "Path=/to/; HttpOnly; Secure; SameSite=None; Partitioned") {
			t.Errorf("attributes %q", attributes)
		}
	}
	all := "host_session=secret; " + strings.Join(jar, "; ")
	for _, c := range []struct{ target, caller, want string }{
		{"/to/" + options + "/https/api.test/other", "alice", "sid=1=2; __Host-b=x"},
		{"/to/session=a;geo=DE;key=another-key-of-alice/wss/API.test:443/", "alice", "sid=1=2; __Host-b=x"},
		{"/to/" + options + "/https/api.test/x", "bob", ""},
		{"/to/" + options + "/http/api.test/x", "alice", ""},
		{"/to/" + options + "/https/evil.test/x", "alice", ""},
		{"/to/" + options + "/https/api.test:8443/x", "alice", ""},
		{"/to/geo=DE;session=b/https/api.test/x", "alice", ""},
		{"/to/-/https/api.test/x", "alice", ""},
		{"/to/cookies=all/https/api.test/x", "alice", "host_session=secret"},
	} {
		h := header("Cookie: " + all)
		parse(t, c.target).Outgoing(h, c.caller, nil)
		if got := h.Get("Cookie"); got != c.want {
			t.Errorf("%s of %s sends %q, want %q", c.target, c.caller, got, c.want)
		}
	}
	h = header("Set-Cookie: a=b")
	r.Incoming(h, pathform.Answer{Caller: "alice", Request: header()})
	if got := h.Get("Set-Cookie"); !strings.HasSuffix(got, "a=b; Path=/to/; HttpOnly") {
		t.Errorf("in clear: %q", got)
	}
}

// A cookie that the target deletes, by whatever date, makes no other one go.
func TestCookies_DeletedByTheTarget_MakeRoom(t *testing.T) {
	r := parse(t, "/to/-/https/api.test/x")
	scope := r.CookieScope("alice")
	var had []string
	for i := range 50 {
		had = append(had, fmt.Sprintf("%sc%d=1", scope, i))
	}
	for attributes, surplus := range map[string]int{
		"Max-Age=0": 0, "Max-Age=-1": 0, "Expires=Thu, 01 Jan 1970 00:00:00 GMT": 0,
		"Expires=" + time.Now().UTC().Add(-time.Hour).Format(http.TimeFormat): 0,
		"Expires=" + time.Now().UTC().Add(time.Hour).Format(http.TimeFormat):  1,
		"Expires=never": 1, "Path=/": 1,
		"Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60": 1, "max-age=060; expires=Thu, 01 Jan 1970 00:00:00 GMT": 1,
		"Max-Age=0; Expires=" + time.Now().UTC().Add(time.Hour).Format(http.TimeFormat):       0,
		"Expires=" + time.Now().UTC().Add(time.Hour).Format(http.TimeFormat) + "; Max-Age=-1": 0,
		"Max-Age=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT":                                    0, "Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=": 0,
		"Expires=Thu, 01 Jan 1970 00:00:00 GMT; Expires=never": 0, "Max-Age=": 1, "Max-Age=-": 1, "Max-Age=0x": 1, "Max-Age=60; Max-Age=00": 0, "Max-Age=0; Max-Age=60": 1,
	} {
		h := header("Set-Cookie: c7=; "+attributes, "Set-Cookie: new=1")
		r.Incoming(h, pathform.Answer{Caller: "alice", Request: header("Cookie: " + strings.Join(had, "; ")), HTTPS: true})
		if got := len(h["Set-Cookie"]) - 2; got != surplus {
			t.Errorf("%s: %d others are deleted, want %d", attributes, got, surplus)
		}
	}
}

func TestCookies_TooMany_DeletesTheOldest(t *testing.T) {
	r := parse(t, "/to/-/https/api.test/x")
	scope := r.CookieScope("alice")
	others := parse(t, "/to/-/https/other.test/x").CookieScope("alice")
	jar := func(scope string, n, size int) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprintf("%sc%d=%s", scope, i, strings.Repeat("v", size)))
		}
		return list
	}
	for name, c := range map[string]struct {
		had  []string
		gone []string
	}{
		"50 of a target":  {jar(scope, 50, 1), []string{scope + "c0"}},
		"100 in all":      {append(jar(others, 60, 1), jar(scope, 40, 1)...), []string{others + "c0"}},
		"8 KiB":           {jar(others, 4, 2030), []string{others + "c0"}},
		"the host's stay": {append([]string{"host=" + strings.Repeat("x", 9000)}, jar(scope, 3, 1)...), nil},
	} {
		h := header("Set-Cookie: new=1")
		r.Incoming(h, pathform.Answer{Caller: "alice", Request: header("Cookie: " + strings.Join(c.had, "; ")), HTTPS: true})
		var gone []string
		for _, line := range h["Set-Cookie"][1:] {
			n, rest, _ := strings.Cut(line, "=")
			if !strings.HasPrefix(rest, "; Max-Age=0;") {
				t.Errorf("%s: %s", name, line)
			}
			gone = append(gone, n)
		}
		if !slices.Equal(gone, c.gone) {
			t.Errorf("%s: deletes %v, want %v", name, gone, c.gone)
		}
	}
}

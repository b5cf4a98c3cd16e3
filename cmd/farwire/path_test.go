package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/farwire/farwire"
)

func TestPathFlags_PathHost_ServesNothingElse(t *testing.T) {
	g, err := farwire.New(farwire.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rest := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	for _, c := range []struct {
		pathHost, host, target string
		want                   int // 401: the path form asks for a key
	}{
		{"", "gw.test", "/to/-/http/a.test/", 401},
		{"", "gw.test", "/to/-/http/a.test//x/../y", 401},
		{"", "gw.test", "/", 418},
		{"to.test", "TO.test:8080", "/to/-/http/a.test/", 401},
		{"to.test", "to.test", "/", 404},
		{"to.test", "to.test", "/ws", 404},
		{"to.test", "gw.test", "/to/-/http/a.test/", 404},
		{"to.test", "gw.test:80", "/", 418},
	} {
		r := httptest.NewRequest("GET", "http://"+c.host+"/", nil)
		r.RequestURI = c.target
		w := httptest.NewRecorder()
		(&pathFlags{PathHost: c.pathHost}).route(g, rest).ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%+v: %d %s", c, w.Code, w.Body)
		}
	}
}

func TestPathFlags_BadValues_NameTheFlag(t *testing.T) {
	for flag, p := range map[string]pathFlags{
		"--http-rate":  {HTTPBurst: 1},
		"--http-burst": {HTTPRate: 1},
		"--path-host":  {HTTPRate: 1, HTTPBurst: 1, PathHost: "https://to.test"},
	} {
		if err := p.apply(new(farwire.Options)); err == nil || !strings.HasPrefix(err.Error(), flag+":") {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

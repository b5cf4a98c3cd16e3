package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// Who is signed in reaches a target by URL alone, and the login's cookie stays here.
func Example() {
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s with cookies %v", r.URL, r.Cookies())
	}))
	defer target.Close()
	exit, err := agent.Direct(agent.DirectOptions{Slug: "de1", Country: "DE", AllowPrivate: true})
	if err != nil {
		panic(err)
	}
	log := slog.New(slog.DiscardHandler)
	gw, err := farwire.New(farwire.Options{Agents: exit, Logger: log})
	if err != nil {
		panic(err)
	}
	app := httptest.NewServer(mount(gw, nil, log))
	defer app.Close()

	url := app.URL + "/to/geo=DE/http/" + strings.TrimPrefix(target.URL, "http://") + "/v1/items?page=2"
	for _, session := range []string{"nobody's", "session-of-carol"} {
		req, err := http.NewRequest("GET", url, nil)
		if err != nil {
			panic(err)
		}
		req.AddCookie(&http.Cookie{Name: "app_session", Value: session})
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			panic(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Println(resp.StatusCode, strings.TrimSpace(string(body)), err)
	}
	http.DefaultClient.CloseIdleConnections()
	// Output:
	// 401 sign in first <nil>
	// 200 /v1/items?page=2 with cookies [] <nil>
}

package farwire_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/farwire/farwire"
)

// asAlice asks a handler for a caller that the host's login knows.
func asAlice(h http.Handler, method, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(farwire.WithPrincipal(r.Context(), farwire.Principal{Subject: "alice"})))
	return w
}

// Callers see their running sessions and end one.
func ExampleGateway_SessionsHandler() {
	gw, err := farwire.New(farwire.Options{Agents: mustDirect(), Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	sessions := http.NewServeMux()
	sessions.Handle("/sessions", gw.SessionsHandler())
	sessions.Handle("/sessions/{id}", gw.SessionsHandler())
	target := listener()
	defer target.Close()
	for _, subject := range []string{"alice", "bob"} {
		c, err := gw.Open(context.Background(), farwire.OpenOptions{Addr: target.Addr().String(), Principal: farwire.Principal{Subject: subject}})
		if err != nil {
			log.Fatal(err)
		}
		defer c.Close()
	}

	var list struct {
		Sessions []struct{ ID, Kind, Agent string }
	}
	if err := json.Unmarshal(asAlice(sessions, http.MethodGet, "/sessions").Body.Bytes(), &list); err != nil {
		log.Fatal(err)
	}
	for _, s := range list.Sessions {
		fmt.Println(s.Kind, "through", s.Agent)
		fmt.Println(asAlice(sessions, http.MethodDelete, "/sessions/"+s.ID).Code)
	}
	for s := range gw.Sessions() {
		if s.Subject == "bob" {
			fmt.Println("another's:", asAlice(sessions, http.MethodDelete, "/sessions/"+s.ID).Code)
		}
	}
	// Output:
	// tunnel through farwire-de1
	// 200
	// another's: 404
}

// Callers see their enrolled sites and leave one.
func ExampleGateway_SitesHandler() {
	sites := &memorySites{}
	gw, err := farwire.New(farwire.Options{Sites: sites, Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	// A crawl with enableAutoUpdate does this.
	enrolled := farwire.Site{Subject: "alice", BaseURL: "https://docs.example.com/", Interval: 24 * time.Hour}
	if _, err := sites.Enroll(context.Background(), enrolled, -1, 0); err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/sites", gw.SitesHandler())
	mux.Handle("/sites/{id}", gw.SitesHandler())

	var list struct {
		Sites []struct {
			ID              json.Number
			BaseURL         string `json:"base_url"`
			IntervalMinutes int    `json:"interval_minutes"`
		}
	}
	show := func() {
		if err := json.Unmarshal(asAlice(mux, http.MethodGet, "/sites").Body.Bytes(), &list); err != nil {
			log.Fatal(err)
		}
		fmt.Println(len(list.Sites), "sites")
	}
	show()
	site := list.Sites[0]
	fmt.Println(site.BaseURL, "every", site.IntervalMinutes, "minutes")
	fmt.Println(asAlice(mux, http.MethodDelete, "/sites/"+site.ID.String()).Code)
	show()
	// Output:
	// 1 sites
	// https://docs.example.com/ every 1440 minutes
	// 204
	// 0 sites
}

// A host that sells bytes counts them while a session runs: the gateway calls Progress
// for each session every ten seconds, with what it has carried since it began.
func ExampleTrace_progress() {
	carried := make(map[string]int64) // by session
	trace := &farwire.Trace{Progress: func(_ context.Context, s farwire.Session) {
		now := s.Counters.BytesToTarget + s.Counters.BytesToClient
		fmt.Println(s.Subject, "has used", now-carried[s.ID], "bytes more")
		carried[s.ID] = now
	}}
	gw, err := farwire.New(farwire.Options{Agents: mustDirect(), Logger: quiet, Trace: trace})
	if err != nil {
		log.Fatal(err)
	}
	target := listener()
	defer target.Close()
	c, err := gw.Open(context.Background(), farwire.OpenOptions{Addr: target.Addr().String(), Principal: farwire.Principal{Subject: "alice"}})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	for _, n := range []int{2 << 10, 1 << 10} {
		if _, err := c.Write(make([]byte, n)); err != nil {
			log.Fatal(err)
		}
		for s := range gw.Sessions() { // the gateway's own ten seconds are long for an example
			trace.Progress(context.Background(), s)
		}
	}
	// Output:
	// alice has used 2048 bytes more
	// alice has used 1024 bytes more
}

package request_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/request"
)

// list repeats a unit with a number in it, n times.
func list(n int, unit string) string {
	var parts []string
	for i := range n {
		parts = append(parts, fmt.Sprintf(unit, i))
	}
	return strings.Join(parts, ",")
}

// What a request may hold is counted, to the one.
func TestConnectMessage_Counts_RefusedBeyond(t *testing.T) {
	for _, c := range []struct {
		name, message string
		refused       string // empty: accepted
	}{
		{"100 headers", `"headers":{` + list(100, `"X-%d":"v"`) + `}`, ""},
		{"101 headers", `"headers":{` + list(101, `"X-%d":"v"`) + `}`, "more than 100"},
		{"60 headers, 40 cookies", `"headers":{` + list(60, `"X-%d":"v"`) + `},"cookies":{` + list(40, `"c%d":"v"`) + `}`, ""},
		{"60 headers, 41 cookies", `"headers":{` + list(60, `"X-%d":"v"`) + `},"cookies":{` + list(41, `"c%d":"v"`) + `}`, "more than 100"},
		{"32 subprotocols", `"subprotocols":[` + list(32, `"p%d"`) + `]`, ""},
		{"33 subprotocols", `"subprotocols":[` + list(33, `"p%d"`) + `]`, "more than 32"},
		{"64 slugs", `"agent":"` + list(64, "a%d") + `"`, ""},
		{"65 slugs", `"agent":"` + list(65, "a%d") + `"`, "agent has more than 64"},
		{"65 countries", `"geo":"` + strings.Repeat("US,", 64) + `US"`, "geo has more than 64"},
		{"64 slugs and many commas", `"agent":"` + list(64, "a%d") + strings.Repeat(", ", 1000) + `"`, ""},
		{"only commas", `"agent":"` + strings.Repeat(",", 64) + `"`, "agent names no agent"},
	} {
		_, err := request.ParseConnect([]byte(`{"url":"ws://a.test/",` + c.message + `}`))
		if (err == nil) != (c.refused == "") || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%s: %v, want %q", c.name, err, c.refused)
		}
	}
	var protocols []string
	for i := range 33 {
		protocols = append(protocols, fmt.Sprintf("p%d", i))
	}
	if _, err := request.ParseDirectQuery("url=ws://a.test/", "", protocols[:32]); err != nil {
		t.Errorf("32 subprotocols in the direct form: %v", err)
	}
	if _, err := request.ParseDirectQuery("url=ws://a.test/", "", protocols); err == nil {
		t.Error("33 subprotocols in the direct form are accepted")
	}
	if _, err := request.ParseDirectQuery("url=ws://a.test/"+strings.Repeat("&header=a:b", 101), "", nil); err == nil {
		t.Error("101 headers in the direct form are accepted")
	}
}

package farwire_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/brokertest"
)

// An okEvent is one that OkHttp's EventSource hands to its listener.
type okEvent struct{ id, kind, data string }

// okHTTP reads a stream by the rules of OkHttp's reader, which are stricter than the
// HTML standard: a line ends at CR, LF or CRLF; a field is known by its exact prefix,
// with one blank at most behind the colon; an id holds for the event that it stands
// in and those behind it; an event without data does not count; what ends without a blank
// line is dropped.
func okHTTP(stream string) (events []okEvent) {
	var lastID string
	var data strings.Builder
	id, kind, has := "", "", false
	for stream != "" {
		end := strings.IndexAny(stream, "\r\n")
		if end < 0 {
			return events
		}
		line := stream[:end]
		if strings.HasPrefix(stream[end:], "\r\n") {
			end++
		}
		stream = stream[end+1:]
		field := func(name string) (string, bool) {
			rest, ok := strings.CutPrefix(line, name)
			if !ok || rest != "" && rest[0] != ':' {
				return "", false
			}
			return strings.TrimPrefix(strings.TrimPrefix(rest, ":"), " "), true
		}
		switch {
		case line == "":
			if has {
				lastID = id
				events = append(events, okEvent{id, kind, data.String()})
			}
			data.Reset()
			id, kind, has = lastID, "", false
		default:
			if v, ok := field("data"); ok {
				if has {
					data.WriteByte('\n')
				}
				data.WriteString(v)
				has = true
			} else if v, ok := field("id"); ok {
				id = v
			} else if v, ok := field("event"); ok {
				kind = v
			}
		}
	}
	return events
}

// TestAMQP_OkHTTPsRules_EveryBodyArrives has bodies that readers of lines trip over.
func TestAMQP_OkHTTPsRules_EveryBodyArrives(t *testing.T) {
	bodies := []string{
		"plain", "", " blank in front", "data: x", "two\nlines", "cr\rlf\r\n\r\nend", "\ufeffmark", "nul\x00", "\u0085 \u2028 \u2029",
		"id: 7\nevent: error\n\n", `{"odds": 1.95}`, "\xff\xfe not UTF-8", strings.Repeat("long ", 40_000), "🎲", ":comment",
	}
	broker := &brokertest.Broker{Serve: func(c *brokertest.Conn) {
		for i, body := range bodies {
			c.Deliver(uint64(i+1), "key of "+fmt.Sprint(i), body)
		}
		for {
			if _, _, err := c.Next(); err != nil {
				return // the stream has ended
			}
		}
	}}
	exit := agent.Exit{ID: testAgent, Slug: "de1", Country: "DE", DialContext: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go broker.Talk(far)
		return near, nil
	}}
	w := newWorld(t, func(o *farwire.Options) { o.Agents = exit })
	host := httptest.NewServer(w.gw.AMQP())
	defer host.Close()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "POST", host.URL, strings.NewReader(`{"apiKey":"`+testKey+`","host":"broker.example.com","exchange":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got bytes.Buffer
	for chunk := make([]byte, 4096); len(okHTTP(got.String())) < len(bodies)+1; {
		n, err := resp.Body.Read(chunk)
		got.Write(chunk[:n])
		if err != nil {
			t.Fatalf("the stream ended with %v after %d events:\n%s", err, len(okHTTP(got.String())), got.String())
		}
	}
	events := okHTTP(got.String())
	if events[0].kind != "connected" {
		t.Errorf("the first event is %+v", events[0])
	}
	for i, body := range bodies {
		e := events[i+1]
		var m struct {
			Body     string
			Encoding string `json:"body_encoding"`
			Key      string `json:"routing_key"`
		}
		if err := json.Unmarshal([]byte(e.data), &m); err != nil {
			t.Fatalf("event %d: %v: %q", i, err, e.data)
		}
		want, encoding := body, ""
		if !utf8.ValidString(body) {
			want, encoding = base64.StdEncoding.EncodeToString([]byte(body)), "base64"
		}
		if e.kind != "message" || e.id != fmt.Sprint(i+1) || m.Body != want || m.Encoding != encoding || m.Key != "key of "+fmt.Sprint(i) {
			t.Errorf("event %d: %q %q %.60q %q, want %.60q", i, e.id, e.kind, m.Body, m.Encoding, want)
		}
		if strings.ContainsAny(e.data, "\r\n\u0085\u2028\u2029") {
			t.Errorf("event %d has a character at which clients split lines: %q", i, e.data)
		}
	}
}

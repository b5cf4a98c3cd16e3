package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// An async is the description of the sockets.
type async struct {
	tree     map[string]any
	compiler *jsonschema.Compiler
}

func loadAsync(t *testing.T) *async {
	t.Helper()
	return loadSchemas(t, "../../../docs/asyncapi.yaml")
}

// loadSchemas reads a description whose schemas are of JSON Schema 2020-12.
func loadSchemas(t *testing.T, file string) *async {
	t.Helper()
	b, err := os.ReadFile(file)
	must(t, err)
	var tree any
	must(t, yaml.Unmarshal(b, &tree))
	// Numbers as JSON has them.
	b, err = json.Marshal(tree)
	must(t, err)
	tree, err = jsonschema.UnmarshalJSON(strings.NewReader(string(b)))
	must(t, err)
	c := jsonschema.NewCompiler()
	must(t, c.AddResource("doc.json", tree))
	return &async{tree.(map[string]any), c}
}

// has reports whether there is a channel of this address.
func (a *async) has(address string) bool {
	for _, c := range a.tree["channels"].(map[string]any) {
		if c.(map[string]any)["address"] == address {
			return true
		}
	}
	return false
}

// check says what is wrong with a message that must be of the schema.
func (a *async) check(t *testing.T, schema, message string) {
	t.Helper()
	s, err := a.compiler.Compile("doc.json#/components/schemas/" + schema)
	must(t, err)
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(message))
	if err == nil {
		err = s.Validate(v)
	}
	if err != nil {
		t.Errorf("%.300s is no %s: %v", message, schema, err)
	}
}

// TestAsyncAPI_Document_KeepsItsSchema holds the description to the schema of AsyncAPI itself.
func TestAsyncAPI_Document_KeepsItsSchema(t *testing.T) {
	out, err := exec.Command("../../../scripts/deps", "npm").Output()
	must(t, err)
	spec := filepath.Join(strings.TrimSpace(string(out)), "node_modules/@asyncapi/specs/schemas/3.0.0-without-$id.json")
	f, err := os.Open(spec)
	if err != nil {
		t.Fatalf("%v; scripts/deps installs it", err)
	}
	defer f.Close()
	schema, err := jsonschema.UnmarshalJSON(f)
	must(t, err)
	c := jsonschema.NewCompiler()
	must(t, c.AddResource("asyncapi.json", schema))
	s, err := c.Compile("asyncapi.json")
	must(t, err)
	doc := loadAsync(t)
	if err := s.Validate(doc.tree); err != nil {
		t.Errorf("the description is no AsyncAPI: %v", err)
	}
	doc.tree["asyncapi"] = "3"
	if s.Validate(doc.tree) == nil {
		t.Error("the schema finds nothing")
	}
	// Each reference leads somewhere: the schema of AsyncAPI does not ask.
	walk(doc.tree, func(ref string) {
		at := any(doc.tree)
		for _, step := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
			m, ok := at.(map[string]any)
			if at = m[step]; !ok || at == nil {
				t.Errorf("%s leads nowhere", ref)
				return
			}
		}
	})
}

func walk(v any, visit func(ref string)) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			if ref, ok := inner.(string); ok && name == "$ref" {
				visit(ref)
			}
			walk(inner, visit)
		}
	case []any:
		for _, inner := range v {
			walk(inner, visit)
		}
	}
}

// TestAsyncAPI_RelayMessages_AreDescribed relays, and fails to.
func TestAsyncAPI_RelayMessages_AreDescribed(t *testing.T) {
	doc, w := loadAsync(t), start(t)
	for _, c := range []struct {
		request string
		asked   bool // as described
		answer  string
	}{
		{`{"apiKey":"` + key + `","agent":"de1","url":"` + w.target + `"}`, true, "Connected"},
		{`{"apiKey":"` + key + `","url":"` + w.target + `","subprotocols":["chat"],"headers":{"A":"b"},"cookies":{"c":"d"},"geo":"DE","agent":"de1","idle_timeout":1.5}`, true, "Connected"},
		{`{"apiKey":"` + key + `","agent":"de1","url":"ws://127.0.0.1:1"}`, true, "RelayError"},
		{`{"url":"` + w.target + `"}`, true, "RelayError"},
		{`{"apiKey":"` + key + `","url":"http://x"}`, false, "RelayError"},
		{`{"apiKey":"` + key + `","url":"` + w.target + `","idle_timeout":-1}`, false, "RelayError"},
	} {
		if c.asked {
			doc.check(t, "Connect", c.request)
		}
		messages := w.send(t, "/ws", c.request, 1)
		if len(messages) != 1 {
			t.Errorf("%s: %v", c.request, messages)
			continue
		}
		doc.check(t, c.answer, messages[0])
	}
}

// TestAsyncAPI_CrawlMessages_AreDescribed crawls, and fails to.
func TestAsyncAPI_CrawlMessages_AreDescribed(t *testing.T) {
	doc, w := loadAsync(t), start(t)
	kinds := map[string]string{"log": "Log", "result": "Result", "url": "URL", "file": "HostedFile", "error": "CrawlError"}
	seen := map[string]bool{}
	for _, request := range []string{
		`{"url":"` + w.site + `","maxPages":5,"descLength":200,"format":"index","geo":"DE","full":true,"markdown":true}`,
		`{"url":"http://127.0.0.1:1"}`,
	} {
		doc.check(t, "CrawlRequest", request)
		for _, m := range w.send(t, "/ws/crawl?api_key="+key, request, -1) {
			var typed struct{ Type string }
			must(t, json.Unmarshal([]byte(m), &typed))
			if kinds[typed.Type] == "" {
				t.Errorf("a message of type %q", typed.Type)
				continue
			}
			seen[typed.Type] = true
			doc.check(t, kinds[typed.Type], m)
		}
	}
	for kind := range kinds {
		if !seen[kind] {
			t.Errorf("no message of type %s came", kind)
		}
	}
}

// TestAsyncAPI_Events_AreDescribed reads the error event of a broker that is not there.
func TestAsyncAPI_Events_AreDescribed(t *testing.T) {
	doc, w := loadSchemas(t, "../../../docs/openapi.yaml"), start(t)
	resp, err := client.Post(w.server.URL+"/amqp?api_key="+key, "application/json", strings.NewReader(`{"host":"127.0.0.1","port":1}`))
	must(t, err)
	defer resp.Body.Close()
	var lines []string
	for s := bufio.NewScanner(resp.Body); s.Scan(); {
		lines = append(lines, s.Text())
	}
	if len(lines) < 4 || !strings.HasPrefix(lines[0], ":") || lines[2] != "event: error" {
		t.Fatalf("events %q", lines)
	}
	doc.check(t, "AMQPError", strings.TrimPrefix(lines[3], "data: "))
	// What a broker makes of messages is tested beside one, in test/e2e/amqp; the
	// forms are those of docs/amqp.md.
	doc.check(t, "AMQPConnected", `{"node_id": "farwire-de1", "queue_name": "scrape_de1_abc"}`)
	doc.check(t, "AMQPMessage", `{"body": "hello", "routing_key": "k", "exchange": "e", "delivery_tag": 1, "content_type": ""}`)
	doc.check(t, "AMQPMessage", `{"body": "H4s=", "routing_key": "k", "exchange": "e", "delivery_tag": 1, "content_type": "", "body_encoding": "base64",
		"redelivered": true, "headers": {"n": 1}, "message_id": "m", "correlation_id": "c", "timestamp": 1, "type": "t", "content_encoding": "gzip",
		"app_id": "a", "user_id": "u", "priority": 5, "reply_to": "r", "expiration": "60000", "delivery_mode": 2}`)
}

// send sends one message and returns those that come, at most so many.
func (w *world) send(t *testing.T, path, message string, most int) (messages []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(w.server.URL, "http")+path, &websocket.DialOptions{HTTPClient: client, HTTPHeader: http.Header{}})
	must(t, err)
	defer conn.CloseNow()
	conn.SetReadLimit(-1)
	must(t, conn.Write(ctx, websocket.MessageText, []byte(message)))
	for len(messages) != most {
		_, b, err := conn.Read(ctx)
		if err != nil {
			if websocket.CloseStatus(err) < 0 {
				t.Error(fmt.Errorf("after %d messages: %w", len(messages), err))
			}
			return messages
		}
		messages = append(messages, string(b))
	}
	conn.Close(websocket.StatusNormalClosure, "") // a target may be slow to answer it
	return messages
}

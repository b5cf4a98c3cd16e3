package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

// Whoever reads the data folder knows the enrolled sites and the secrets of their webhooks,
// and learns no key: neither the caller's, in clear or as its hash, nor the token secret,
// nor a token.
func TestServe_DataFolder_HoldsNoKey(t *testing.T) {
	const key, tokenSecret, agentSecret = "key-of-alice-9f41c07a55", "token-secret-0123456789abcdef-5520", "agent-secret-77aa0123456789"
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, "<title>Home</title><h1>Home</h1><p>A page of words that a reader may like to have.</p>")
	}))
	t.Cleanup(site.Close)
	data := t.TempDir()
	g := startServe(t, "--data-dir", data, "--api-keys", "alice="+key, "--token-secret", tokenSecret, "--agent-secret", agentSecret, "--allow-private")
	request, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+g.Addr+"/auth/token", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-API-Key", key)
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var issued struct{ Token string }
	if err := json.NewDecoder(resp.Body).Decode(&issued); err != nil || issued.Token == "" {
		t.Fatalf("%s, %v", resp.Status, err)
	}
	var secret string // of the webhook
	for i, credential := range []string{key, issued.Token} {
		ctx, cancel := context.WithTimeout(t.Context(), harness.Timeout)
		defer cancel()
		c, _, err := websocket.Dial(ctx, g.WS("/ws/crawl")+"?token="+credential, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		if err := c.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"url":"%s/?site=%d","maxPages":1,"enableAutoUpdate":true}`, site.URL, i)); err != nil {
			t.Fatal(err)
		}
		for {
			_, b, err := c.Read(ctx)
			if websocket.CloseStatus(err) == websocket.StatusNormalClosure {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			var m struct {
				Type, Content string
				Secret        string `json:"webhook_secret"`
			}
			if err := json.Unmarshal(b, &m); err != nil || m.Type == "error" {
				t.Fatalf("%s, %v", b, err)
			}
			if m.Secret != "" {
				secret = m.Secret
			}
		}
	}
	g.Stop()
	var all strings.Builder
	err = filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	held := all.String()
	if secret == "" || !strings.Contains(held, secret) || !strings.Contains(held, site.URL) {
		t.Errorf("the folder has no site, or not its secret %q", secret)
	}
	for _, hidden := range []string{key, tokenSecret, agentSecret} {
		sum := sha256.Sum256([]byte(hidden))
		for form, text := range map[string]string{"in clear": hidden, "as base64": base64.StdEncoding.EncodeToString([]byte(hidden)), "in hex": hex.EncodeToString([]byte(hidden)),
			"by its hash": string(sum[:]), "by its hash in hex": hex.EncodeToString(sum[:])} {
			if strings.Contains(held, text) {
				t.Errorf("the folder has %s %s", hidden, form)
			}
		}
	}
	for i, part := range strings.Split(issued.Token, ".") {
		if i > 0 && strings.Contains(held, part) { // the first is the same in all tokens
			t.Errorf("the folder has part %d of a token", i)
		}
	}
}

package openrouter_test

import (
	"net/http"
	"strings"
	"testing"
	"unicode"

	"github.com/farwire/farwire/adapters/openrouter"
)

// FuzzAPI has the API answer anything, with any status: the adapter has an
// answer or an error in one printable line, and the key is in none.
func FuzzAPI(f *testing.F) {
	f.Add(200, wholeAnswer)
	f.Add(200, "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n")
	f.Add(200, `{"error":{"code":"429","message":"`+testKey+`"}}`)
	f.Add(402, `{"error":"`+testKey+`"}`)
	f.Add(301, "")
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 999 { // what net/http reads
			status = 200
		}
		m, err := openrouter.New(openrouter.Options{APIKey: testKey, Attempts: 1, HTTPClient: &http.Client{
			Transport: roundTrip(func(*http.Request) (*http.Response, error) { return response(status, nil, body), nil }),
		}})
		if err != nil {
			t.Fatal(err)
		}
		text, err := m.Enhance(t.Context(), part())
		if (text == "") != (err != nil) || len(text) > 1<<20+1 {
			t.Fatalf("%q and %v", text, err)
		}
		if err != nil && (strings.Contains(err.Error(), testKey) || strings.ContainsFunc(err.Error(), func(r rune) bool { return unicode.IsControl(r) })) {
			t.Fatalf("the error is %q", err)
		}
		if s := m.Stats(); s.Requests != 1 || s.Cost < 0 {
			t.Fatalf("%+v", s)
		}
	})
}

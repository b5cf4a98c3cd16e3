// Package token holds the gateway's tokens against the test vectors of
// Project Wycheproof for JSON Web Signatures.
package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/c2sp/wycheproof"

	"github.com/farwire/farwire"
)

const apiKey = "key-of-alice-0123456789"

type group struct {
	Comment string
	Private struct{ Kty, Alg, K string }
	Tests   []struct {
		TcID    int `json:"tcId"`
		Comment string
		JWS     json.RawMessage // a string, or the JSON serialization
		Result  string
	}
}

func vectors(t *testing.T) []group {
	t.Helper()
	b, err := fs.ReadFile(wycheproof.TestVectors, "json_web_signature_test.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		NumberOfTests int
		TestGroups    []group
	}
	if err := json.Unmarshal(b, &file); err != nil || file.NumberOfTests < 300 {
		t.Fatalf("%d vectors, %v", file.NumberOfTests, err)
	}
	return file.TestGroups
}

// A gateway answers with the status of a request that shows the token.
type gateway func(token string) int

func newGateway(t *testing.T, key []byte) (g gateway, token string) {
	t.Helper()
	keys, err := farwire.APIKeys(map[string]string{apiKey: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	gw, err := farwire.New(farwire.Options{Auth: keys, TokenKey: key, Limits: farwire.Limits{Rate: -1}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	client := netip.MustParseAddr("10.0.0.1")
	ask := func(h http.Handler, method, key string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/", nil)
		// Each from an address of its own: after ten wrong ones of one the answer is 429.
		client = client.Next()
		r.RemoteAddr = netip.AddrPortFrom(client, 1234).String()
		r.Header.Set("X-API-Key", key)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	var answer struct{ Token string }
	if w := ask(gw.Token(), http.MethodPost, apiKey); json.Unmarshal(w.Body.Bytes(), &answer) != nil || answer.Token == "" {
		t.Fatalf("no token: %d %s", w.Code, w.Body)
	}
	g = func(token string) int { return ask(gw.Usage(), http.MethodGet, token).Code }
	if status := g(answer.Token); status != http.StatusOK {
		t.Fatalf("the gateway's own token: %d", status)
	}
	return g, answer.Token
}

func decode(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestVectors_ShownToAGateway_AreRefused shows every vector, valid or not, to a gateway that has the
// vector's key where that is one for HMAC. None is a token of a gateway's.
func TestVectors_ShownToAGateway_AreRefused(t *testing.T) {
	seen := 0
	for _, group := range vectors(t) {
		key := []byte(strings.Repeat("k", 32))
		if k := decode(t, group.Private.K); len(k) >= 32 {
			key = k
		}
		g, _ := newGateway(t, key)
		for _, v := range group.Tests {
			var token string
			if json.Unmarshal(v.JWS, &token) != nil {
				token = string(v.JWS)
			}
			if strings.ContainsAny(token, "\r\n\x00") {
				token = strings.NewReplacer("\r", "", "\n", "", "\x00", "").Replace(token) // no header has them
			}
			seen++
			if status := g(token); status != http.StatusForbidden && (token != "" || status != http.StatusUnauthorized) {
				t.Errorf("%s %d (%s): %d", group.Comment, v.TcID, v.Comment, status)
			}
		}
	}
	if seen < 300 {
		t.Errorf("%d vectors", seen)
	}
}

// mislabelled vectors are the same one under two names. It is signed and encoded
// as it should be: the padding that their comments speak of is not there.
var mislabelled = map[int]bool{367: true, 370: true}

// TestVectors_WithClaimsOfAToken_OnlyValidOnesWork gives the claims of a good token to the vectors for
// HS256: the header is the vector's, but for the id of the key, and the
// signature is wrong in the vector's way. Those that are valid must be accepted
// and those that are not refused.
func TestVectors_WithClaimsOfAToken_OnlyValidOnesWork(t *testing.T) {
	accepted, refused := 0, 0
	for _, group := range vectors(t) {
		key := decode(t, group.Private.K)
		if group.Private.Kty != "oct" || group.Private.Alg != "HS256" || len(key) < 32 {
			continue
		}
		g, good := newGateway(t, key)
		ours := strings.Split(good, ".")
		for _, v := range group.Tests {
			var jws string
			if json.Unmarshal(v.JWS, &jws) != nil {
				continue // no compact serialization: TestVectors_ShownToAGateway_AreRefused has it
			}
			theirs := strings.Split(jws, ".")
			if len(theirs) != 3 || mislabelled[v.TcID] {
				continue
			}
			var header, own map[string]any
			b, err := base64.RawURLEncoding.DecodeString(theirs[0])
			if err != nil || json.Unmarshal(b, &header) != nil {
				continue
			}
			// What is wrong with a payload goes with it.
			if _, err := base64.RawURLEncoding.Strict().DecodeString(theirs[1]); err != nil {
				continue
			}
			if err := json.Unmarshal(decode(t, ours[0]), &own); err != nil {
				t.Fatal(err)
			}
			header["kid"] = own["kid"]
			if b, err = json.Marshal(header); err != nil {
				t.Fatal(err)
			}
			signed := base64.RawURLEncoding.EncodeToString(b) + "." + ours[1]
			signature := mac(key, signed)
			if right := mac(key, theirs[0]+"."+theirs[1]); right != theirs[2] {
				// Wrong in this way: how the vector's differs from the right one.
				signature = spoil(signature, right, theirs[2])
			}
			status := g(signed + "." + signature)
			switch {
			case v.Result == "valid" && status == http.StatusOK:
				accepted++
			case v.Result != "valid" && status == http.StatusForbidden:
				refused++
			default:
				t.Errorf("%s %d (%s), %s: %d for %s.%s", group.Comment, v.TcID, v.Comment, v.Result, status, signed, signature)
			}
		}
	}
	t.Logf("%d accepted, %d refused", accepted, refused)
	if accepted < 1 || refused < 5 {
		t.Errorf("%d accepted and %d refused prove nothing", accepted, refused)
	}
}

func mac(key []byte, signed string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(signed))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// spoil does to a signature what was done to right to make it wrong: characters
// that are others become others, and the length becomes the same.
func spoil(signature, right, wrong string) string {
	b := []byte(signature)
	for i := range min(len(right), len(wrong), len(b)) {
		if right[i] != wrong[i] {
			b[i] = 'A' + (b[i]+1)%26
		}
	}
	if len(wrong) <= len(b) {
		return string(b[:len(wrong)])
	}
	return string(b) + wrong[len(b):]
}

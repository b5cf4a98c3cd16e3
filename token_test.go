package farwire_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire"
)

var tokenKey = []byte("the token key of the tests, 32+ bytes")

const tokenLife = 5 * time.Minute

func withTokenKey(o *farwire.Options) { o.TokenKey = tokenKey }

// part decodes one of the three parts of a token.
func part(t testing.TB, token string, n int) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("a token of %d parts: %s", len(parts), token)
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[n])
	var m map[string]any
	if err != nil || json.Unmarshal(b, &m) != nil {
		t.Fatalf("part %d of %s: %v", n, token, err)
	}
	return m
}

// forge signs header and claims with HMAC.
func forge(t testing.TB, header, claims map[string]any, h func() hash.Hash, key []byte) string {
	t.Helper()
	encode := func(m map[string]any) string {
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	signed := encode(header) + "." + encode(claims)
	mac := hmac.New(h, key)
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// uses returns the answer to a request that shows the key.
func (w *world) uses(key string) (status int, detail string) {
	w.t.Helper()
	resp := w.do("GET", "/usage", "X-API-Key: "+key)
	defer resp.Body.Close()
	var body struct{ Detail string }
	b, err := io.ReadAll(resp.Body)
	if err != nil || json.Unmarshal(b, &body) != nil {
		w.t.Fatalf("%s: %s, %v", resp.Status, b, err)
	}
	return resp.StatusCode, body.Detail
}

// fromAnywhere has each request come from an address of its own: wrong
// credentials are counted by address.
func fromAnywhere(o *farwire.Options) {
	var n atomic.Uint32
	o.ClientAddr = func(*http.Request) netip.Addr {
		i := n.Add(1)
		return netip.AddrFrom4([4]byte{198, byte(i >> 16), byte(i >> 8), byte(i)})
	}
}

func TestToken_Claims_AreThoseOfTheContract(t *testing.T) {
	w := newWorld(t, withTokenKey)
	token := w.token(t, testKey)
	header, claims := part(t, token, 0), part(t, token, 1)
	if header["alg"] != "HS256" || header["typ"] != "JWT" || header["kid"] == "" || header["kid"] == nil {
		t.Errorf("header %v", header)
	}
	iat, nbf, exp := claims["iat"].(float64), claims["nbf"].(float64), claims["exp"].(float64)
	if exp-iat != 300 || nbf > iat || nbf < iat-60 || time.Since(time.Unix(int64(iat), 0)).Abs() > time.Minute {
		t.Errorf("iat %v, nbf %v, exp %v", iat, nbf, exp)
	}
	aud, _ := claims["aud"].([]any)
	if claims["iss"] != "farwire" || len(aud) != 1 || aud[0] != "farwire" || claims["sub"] != "alice" || claims["kid"] == nil || claims["jti"] == nil {
		t.Errorf("claims %v", claims)
	}
	if strings.Contains(fmt.Sprint(header, claims), testKey) {
		t.Error("the key is in its token")
	}
	if other := part(t, w.token(t, testKey), 1); other["jti"] == claims["jti"] {
		t.Error("two tokens have one jti")
	}
}

// TestToken_Forged_IsRefused changes one thing in a token that is right, and signs it
// with the right key unless that is what is wrong.
func TestToken_Forged_IsRefused(t *testing.T) {
	type fields = map[string]any
	w := newWorld(t, withTokenKey, fromAnywhere)
	token := w.token(t, testKey)
	now := time.Now().Unix()
	for _, c := range []struct {
		name           string
		header, claims fields // nil values: taken out
		hash           func() hash.Hash
		key            []byte
		edit           func(string) string
		fine           bool
	}{
		{name: "nothing wrong", fine: true},
		{name: "signed by another", key: []byte("another token key, of 32 bytes or more")},
		{name: "signed with the API key", key: []byte(testKey)},
		{name: "signed with nothing", key: []byte{}},
		{name: "alg none", header: fields{"alg": "none"}},
		{name: "alg none, no signature", header: fields{"alg": "none"}, edit: unsigned},
		{name: "alg None, no signature", header: fields{"alg": "None"}, edit: unsigned},
		{name: "alg missing", header: fields{"alg": nil}},
		{name: "alg a number", header: fields{"alg": 256}},
		{name: "alg in lower case", header: fields{"alg": "hs256"}},
		{name: "HS384", header: fields{"alg": "HS384"}, hash: sha512.New384},
		{name: "HS512", header: fields{"alg": "HS512"}, hash: sha512.New},
		{name: "RS256", header: fields{"alg": "RS256"}},
		{name: "ES256", header: fields{"alg": "ES256"}},
		{name: "EdDSA", header: fields{"alg": "EdDSA"}},
		{name: "no signature", edit: unsigned},
		{name: "half a signature", edit: func(s string) string { return s[:len(s)-20] }},
		{name: "kid missing", header: fields{"kid": nil}},
		{name: "kid of another", header: fields{"kid": "0123456789abcdef"}},
		{name: "kid a list", header: fields{"kid": []string{"x"}}},
		{name: "kid a path", header: fields{"kid": "../../dev/null"}},
		{name: "a key of its own", header: fields{"jwk": fields{"kty": "oct", "k": "AAAA"}}, key: []byte{0, 0, 0}},
		{name: "an extension nobody knows", header: fields{"crit": []string{"x"}, "x": 1}},
		{name: "payload not encoded", header: fields{"crit": []string{"b64"}, "b64": false}},
		{name: "over", claims: fields{"exp": now - 1, "iat": now - 301, "nbf": now - 301}},
		{name: "exp missing", claims: fields{"exp": nil}},
		{name: "exp very large", claims: fields{"exp": 1e300}},
		{name: "exp negative", claims: fields{"exp": -1}},
		{name: "lives longer than any", claims: fields{"exp": now + 24*60*60 + 1, "iat": now}},
		{name: "iat missing", claims: fields{"iat": nil}},
		{name: "iat to come", claims: fields{"iat": now + 200, "exp": now + 400}},
		{name: "nbf missing", claims: fields{"nbf": nil}},
		{name: "nbf to come", claims: fields{"nbf": now + 60}},
		{name: "jti missing", claims: fields{"jti": nil}},
		{name: "sub missing", claims: fields{"sub": nil}},
		{name: "sub empty", claims: fields{"sub": ""}},
		{name: "sub of another", claims: fields{"sub": "bob"}},
		{name: "sub a number", claims: fields{"sub": 7}},
		{name: "aud missing", claims: fields{"aud": nil}},
		{name: "aud of another", claims: fields{"aud": "elsewhere"}},
		{name: "one aud of several", claims: fields{"aud": []string{"elsewhere", "farwire"}}, fine: true},
		{name: "iss missing", claims: fields{"iss": nil}},
		{name: "iss of another", claims: fields{"iss": "elsewhere"}},
		{name: "key id unknown", claims: fields{"kid": "0123456789abcdef"}},
		{name: "key id missing, as of a caller whom the host named", claims: fields{"kid": nil}, fine: true},
		{name: "padded", edit: func(s string) string { return s + "=" }},
		{name: "another spelling of the last byte", edit: lastBits},
		{name: "a part more", edit: func(s string) string { return s + ".e30" }},
		{name: "a part less", edit: func(s string) string { return s[:strings.LastIndexByte(s, '.')] }},
		{name: "a blank inside", edit: func(s string) string { return strings.Replace(s, ".", ". ", 1) }},
		{name: "the other alphabet", edit: func(s string) string { return strings.NewReplacer("-", "+", "_", "/").Replace(s) + "+" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			change := func(m, by fields) fields {
				maps.Copy(m, by)
				maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
				return m
			}
			if c.hash == nil {
				c.hash = sha256.New
			}
			if c.key == nil {
				c.key = tokenKey
			}
			forged := forge(t, change(part(t, token, 0), c.header), change(part(t, token, 1), c.claims), c.hash, c.key)
			if c.edit != nil {
				forged = c.edit(forged)
			}
			status, detail := w.in(t).uses(forged)
			switch {
			case c.fine && status != 200, !c.fine && status != 403:
				t.Errorf("%s: %d %s", forged, status, detail)
			case !c.fine && detail != "token invalid or expired" && detail != "API key invalid":
				t.Errorf("detail %q", detail)
			}
		})
	}
}

func unsigned(s string) string { return s[:strings.LastIndexByte(s, '.')+1] }

// lastBits changes the bits of the last character that belong to no byte.
func lastBits(s string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return s[:len(s)-1] + string(alphabet[strings.IndexByte(alphabet, s[len(s)-1])|1])
}

// TestToken_AnyCharacterChanged_IsRefused changes every character of a token in turn.
func TestToken_AnyCharacterChanged_IsRefused(t *testing.T) {
	w := newWorld(t, withTokenKey, fromAnywhere)
	token := w.token(t, testKey)
	for i := range token {
		c := byte('A')
		if token[i] == c {
			c = 'B'
		}
		if status, _ := w.uses(token[:i] + string(c) + token[i+1:]); status != 403 {
			t.Errorf("with byte %d changed: %d", i, status)
		}
	}
}

// TestToken_AfterFiveMinutes_IsRefused has a token work for five minutes and not a moment more.
func TestToken_AfterFiveMinutes_IsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBubble(t, func(c net.Conn) { c.Close() }, withTokenKey)
		defer time.Sleep(time.Hour)
		token := w.token(t, testKey)
		time.Sleep(tokenLife - time.Second)
		if status, detail := w.uses(token); status != 200 {
			t.Errorf("a second before its end: %d %s", status, detail)
		}
		time.Sleep(time.Second)
		if status, detail := w.uses(token); status != 403 || detail != "token invalid or expired" {
			t.Errorf("at its end: %d %s", status, detail)
		}
	})
}

func TestToken_OfAnotherGateway_WorksWithTheSameKey(t *testing.T) {
	one, two, foreign := newWorld(t, withTokenKey), newWorld(t, withTokenKey), newWorld(t)
	token := one.token(t, testKey)
	if status, detail := two.uses(token); status != 200 {
		t.Errorf("a gateway with the same key: %d %s", status, detail)
	}
	if status, _ := foreign.uses(token); status != 403 {
		t.Errorf("a gateway with another key: %d", status)
	}
}

// A directory is an Authenticator whose one principal can change.
type directory struct {
	mu        sync.Mutex
	principal farwire.Principal
	err       error
}

func (d *directory) set(p farwire.Principal, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.principal, d.err = p, err
}

func (d *directory) Authenticate(context.Context, farwire.Credentials) (farwire.Principal, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.principal, d.err
}

// A lookupDirectory can look key ids up as well.
type lookupDirectory struct{ *directory }

func (d lookupDirectory) Lookup(ctx context.Context, keyID string) (farwire.Principal, error) {
	p, err := d.Authenticate(ctx, farwire.Credentials{})
	if err == nil && p.KeyID != keyID {
		return farwire.Principal{}, farwire.ErrUnauthorized
	}
	return p, err
}

func TestToken_KeyRevoked_IsRefused(t *testing.T) {
	alice := farwire.Principal{Subject: "alice", KeyID: "k1", Limits: farwire.Limits{Rate: -1}}
	limited := alice
	limited.Limits = farwire.Limits{Rate: 1e-9, Burst: 1}
	for name, c := range map[string]struct {
		now    farwire.Principal
		err    error
		status int // with Lookup
		detail string
	}{
		"nothing changed":   {alice, nil, 200, ""},
		"revoked":           {farwire.Principal{}, fmt.Errorf("gone: %w", farwire.ErrUnauthorized), 403, "token invalid or expired"},
		"somebody else's":   {farwire.Principal{Subject: "bob", KeyID: "k1"}, nil, 403, "token invalid or expired"},
		"the id is no more": {farwire.Principal{Subject: "alice", KeyID: "k2"}, nil, 403, "token invalid or expired"},
		"out of order":      {farwire.Principal{}, errors.New("the database at 10.0.0.7 is away"), 500, "internal error"},
		"limits lowered":    {limited, nil, 429, "rate limit exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			d := &directory{principal: alice}
			w := newWorld(t, func(o *farwire.Options) { o.Auth = lookupDirectory{d} })
			token := w.token(t, testKey)
			d.set(c.now, c.err)
			w.uses(token) // takes what a lowered limit leaves
			if status, detail := w.uses(token); status != c.status || detail != c.detail {
				t.Errorf("got %d %q, want %d %q", status, detail, c.status, c.detail)
			}

			// Without Lookup a token lives out its five minutes.
			d = &directory{principal: alice}
			w = newWorld(t, func(o *farwire.Options) { o.Auth = d })
			token = w.token(t, testKey)
			d.set(c.now, c.err)
			w.uses(token)
			if status, detail := w.uses(token); status != 200 {
				t.Errorf("without Lookup: %d %q", status, detail)
			}
		})
	}
}

// TestToken_Request_NeedsAKey takes a key and nothing else.
func TestToken_Request_NeedsAKey(t *testing.T) {
	w := newWorld(t, withTokenKey)
	token := w.token(t, testKey)
	resp := w.post("/auth/token", "X-API-Key: "+testKey)
	if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", resp.Header)
	}
	for name, c := range map[string]struct {
		path, line string
		status     int
		detail     string
	}{
		"no key":               {"/auth/token", "X-Nothing: 1", 401, "API key missing"},
		"empty key":            {"/auth/token", "X-API-Key:", 401, "API key missing"},
		"wrong key":            {"/auth/token", "X-API-Key: " + testKey + "x", 403, "API key invalid"},
		"token":                {"/auth/token", "X-API-Key: " + token, 403, "API key invalid"},
		"token as a bearer":    {"/auth/token", "Authorization: Bearer " + token, 403, "API key invalid"},
		"token in the query":   {"/auth/token?token=" + token, "X-Nothing: 1", 403, "API key invalid"},
		"token that is forged": {"/auth/token", "X-API-Key: " + lastBits(token), 403, "API key invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			resp := w.in(t).post(c.path, c.line)
			defer resp.Body.Close()
			var body struct{ Detail string }
			if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != c.status || !strings.HasPrefix(body.Detail, c.detail) {
				t.Errorf("got %s %q", resp.Status, body.Detail)
			}
			if c.status == http.StatusUnauthorized && resp.Header.Get("WWW-Authenticate") == "" {
				t.Error("a 401 without WWW-Authenticate")
			}
		})
	}
}

// TestNew_AuthenticatorWithoutLookup_OneLineSaysSo is for hosts that count on a revoked
// key's tokens being refused at once.
func TestNew_AuthenticatorWithoutLookup_OneLineSaysSo(t *testing.T) {
	without := authFunc(func(context.Context, farwire.Credentials) (farwire.Principal, error) {
		return farwire.Principal{}, farwire.ErrUnauthorized
	})
	for what, c := range map[string]struct {
		auth farwire.Authenticator
		want int
	}{"without": {without, 1}, "with": {mustKeys(t, map[string]string{testKey: "alice"}), 0}} {
		w := newWorld(t, func(o *farwire.Options) { o.Auth = c.auth })
		said := regexp.MustCompile(`level=INFO .*no Lookup.*five minutes`).FindAllString(w.log.String(), -1)
		if len(said) != c.want {
			t.Errorf("%s: %d lines, want %d:\n%s", what, len(said), c.want, w.log)
		}
	}
}

func TestKeySet_ZeroValue_KnowsNoKey(t *testing.T) {
	var s farwire.KeySet
	if _, err := s.Authenticate(t.Context(), farwire.Credentials{Key: testKey}); !errors.Is(err, farwire.ErrUnauthorized) {
		t.Errorf("a key: %v", err)
	}
	if _, err := s.Lookup(t.Context(), "some-id"); !errors.Is(err, farwire.ErrUnauthorized) || len(s.KeyIDs()) != 0 {
		t.Errorf("an id: %v, of %v", err, s.KeyIDs())
	}
}

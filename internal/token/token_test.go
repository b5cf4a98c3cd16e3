package token_test

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/internal/token"
)

var (
	first  = []byte("the first key of thirty-two bytes")
	second = []byte("the second key of thirty-two byte")
)

func sign(t testing.TB, s *token.Signer, c token.Claims, life time.Duration) string {
	t.Helper()
	text, err := s.Sign(c, "an id", time.Now(), life)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestSigner_Verify_ReturnsWhatWasSigned(t *testing.T) {
	s := token.New([][]byte{first})
	for _, want := range []token.Claims{
		{Subject: "alice"},
		{Subject: "alice", KeyID: "k", Limits: json.RawMessage(`{"rate":1.5}`), Allow: []string{"a.test"}, Kinds: []string{"relay"},
			Own: token.Rules{Allow: []string{"*.test"}, Deny: []string{"10.0.0.0/8"}, Kinds: []string{"crawl"}, Labels: map[string]string{"team": "x"}}},
	} {
		text := sign(t, s, want, token.Life)
		if got, err := s.Verify(text); err != nil || !reflect.DeepEqual(got, want) || !s.Ours(text) {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
}

func TestSigner_OtherKeys_AfterAReplacement(t *testing.T) {
	s := token.New([][]byte{first})
	old := sign(t, s, token.Claims{Subject: "alice"}, token.Life)
	derived := string(s.Derive("names"))
	s.Replace([][]byte{second, first})
	if _, err := s.Verify(old); err != nil {
		t.Errorf("while both keys are there: %v", err)
	}
	if string(s.Derive("names")) == derived || string(s.Derive("names")) == string(s.Derive("others")) {
		t.Error("a derived key does not hang on the key that signs and on its label")
	}
	s.Replace([][]byte{second})
	if _, err := s.Verify(old); err == nil || !s.Ours(old) {
		t.Errorf("when its key is gone: %v, ours %v", err, s.Ours(old))
	}
	random := token.New(nil)
	if _, err := random.Verify(sign(t, random, token.Claims{Subject: "alice"}, token.Life)); err != nil {
		t.Errorf("with a random key: %v", err)
	}
}

func TestSigner_Verify_WhatIsNotRight_Refused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := token.New([][]byte{first})
		good := sign(t, s, token.Claims{Subject: "alice"}, token.Life)
		parts := strings.Split(good, ".")
		header := func(text string) string {
			return base64.RawURLEncoding.EncodeToString([]byte(text)) + "." + parts[1] + "." + parts[2]
		}
		for name, text := range map[string]string{
			"nothing":             "",
			"no signature":        parts[0] + "." + parts[1] + ".",
			"another signature":   parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])),
			"no algorithm":        header(`{"alg":"none","typ":"JWT"}`),
			"no key id":           header(`{"alg":"HS256","typ":"JWT"}`),
			"no subject":          sign(t, s, token.Claims{}, token.Life),
			"a life that is long": sign(t, s, token.Claims{Subject: "alice"}, token.MaxLife+time.Second),
			"a life that is over": sign(t, s, token.Claims{Subject: "alice"}, -time.Second),
			"another's":           sign(t, token.New([][]byte{second}), token.Claims{Subject: "alice"}, token.Life),
		} {
			if got, err := s.Verify(text); err == nil {
				t.Errorf("%s: %+v", name, got)
			}
		}
		longest := sign(t, s, token.Claims{Subject: "alice"}, token.MaxLife)
		time.Sleep(token.Life + time.Second) // of the bubble's clock
		if _, err := s.Verify(good); err == nil {
			t.Error("a token outlives its five minutes")
		}
		if _, err := s.Verify(longest); err != nil {
			t.Errorf("one that lives for a day: %v", err)
		}
	})
}

// FuzzVerify shows a Signer anything. Nothing that it has not signed is valid.
func FuzzVerify(f *testing.F) {
	s := token.New([][]byte{first})
	f.Add("")
	f.Add(sign(f, token.New([][]byte{second}), token.Claims{Subject: "alice"}, token.Life))
	f.Add("eyJhbGciOiJub25lIn0.eyJpc3MiOiJmYXJ3aXJlIn0.")
	f.Fuzz(func(t *testing.T, text string) {
		s.Ours(text)
		if c, err := s.Verify(text); err == nil {
			t.Errorf("%q is valid: %+v", text, c)
		}
	})
}

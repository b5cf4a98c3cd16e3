package token_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"regexp"
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
	if _, err := s.Verify(sign(t, s, token.Claims{Subject: "alice"}, token.Life)); err != nil {
		t.Errorf("with the key that signs now: %v", err)
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
	if _, err := random.Verify(sign(t, token.New(nil), token.Claims{Subject: "alice"}, token.Life)); err == nil {
		t.Error("two random keys are the same")
	}
}

func TestSigner_VerifyInvalidToken_IsRefused(t *testing.T) {
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

// signed signs a header and a payload as another program does that knows the key.
func signed(header, payload string) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	mac := hmac.New(sha256.New, first)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// parts returns the header and the payload of a valid token.
func parts(t *testing.T, s *token.Signer) (header, payload string) {
	t.Helper()
	list := strings.Split(sign(t, s, token.Claims{Subject: "alice"}, token.Life), ".")
	for i, into := range []*string{&header, &payload} {
		text, err := base64.RawURLEncoding.DecodeString(list[i])
		if err != nil {
			t.Fatal(err)
		}
		*into = string(text)
	}
	return header, payload
}

// Whoever knows the key may sign anything. What is out of bounds, or may have been meant
// to forbid something and is not understood, is refused.
func TestSigner_VerifySignedByOthers_OutOfBoundsIsRefused(t *testing.T) {
	s := token.New([][]byte{first})
	header, payload := parts(t, s)
	now := time.Now().Unix()
	set := func(name string, value any) string {
		var claims map[string]any
		if err := json.Unmarshal([]byte(payload), &claims); err != nil {
			t.Fatal(err)
		}
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
		text, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	day := int64(token.MaxLife / time.Second)
	for name, c := range map[string]struct {
		payload string
		valid   bool
	}{
		"as it was":                 {payload, true},
		"made long ago":             {set("iat", now-day), false},
		"made an hour ago":          {set("iat", now-3600), true},
		"made in a minute":          {set("iat", now+60), false},
		"valid since long ago":      {set("nbf", now-day), false},
		"without iat":               {set("iat", nil), false},
		"without nbf":               {set("nbf", nil), false},
		"without exp":               {set("exp", nil), false},
		"without jti":               {set("jti", nil), false},
		"of another issuer":         {set("iss", "someone"), false},
		"for another audience":      {set("aud", "someone"), false},
		"allow is a string":         {set("allow", "a.test"), false},
		"kinds is an object":        {set("kinds", map[string]any{}), false},
		"a kind is a number":        {set("kinds", []any{1}), false},
		"own is a string":           {set("own", "a.test"), false},
		"a rule of own is a string": {set("own", map[string]any{"deny": "10.0.0.0/8"}), false},
		"no object":                 {"[" + payload + "]", false},
	} {
		if got, err := s.Verify(signed(header, c.payload)); (err == nil) != c.valid {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	unnamed := strings.Replace(header, `"kid"`, `"kit"`, 1)
	if got, err := s.Verify(signed(unnamed, payload)); err == nil {
		t.Errorf("without the id of its key: %+v", got)
	}
	extension := strings.Replace(header, "{", `{"crit":["x"],"x":1,`, 1)
	if got, err := s.Verify(signed(extension, payload)); err == nil {
		t.Errorf("with an extension that must be understood: %+v", got)
	}
}

// Ours tells a host's own tokens from those of a gateway.
func TestSigner_OursTokenOfAnother_IsNot(t *testing.T) {
	s := token.New([][]byte{first})
	header, payload := parts(t, s)
	for name, c := range map[string]struct {
		text string
		ours bool
	}{
		"as it was":               {signed(header, payload), true},
		"of another issuer":       {signed(header, strings.Replace(payload, `"iss":"farwire"`, `"iss":"someone"`, 1)), false},
		"of an unknown algorithm": {signed(strings.Replace(header, "HS256", "XX1", 1), payload), false},
		"no JSON":                 {signed(header, "farwire"), false},
		"two parts":               {"a.b", false},
		"four parts":              {signed(header, payload) + ".", false},
	} {
		if got := s.Ours(c.text); got != c.ours {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestSigner_MistypedClaims_AreNamed(t *testing.T) {
	s := token.New([][]byte{first})
	header, payload := parts(t, s)
	for claim, want := range map[string]string{
		`"email":"a@b.test"`:        "",
		`"alow":["a.test"]`:         "alow",
		`"own":{"alow":[]}`:         "own.alow",
		`"own":{"email":"a@b"}`:     "own.email",
		`"own":{"deny":["a.test"]}`: "",
	} {
		got, err := s.Verify(signed(header, strings.Replace(payload, "{", "{"+claim+",", 1)))
		if err != nil || got.Mistyped != want {
			t.Errorf("%s: %q, %v, want %q", claim, got.Mistyped, err, want)
		}
	}
}

// A Signer keeps its keys, whatever becomes of the memory that they came in.
func TestSigner_KeyOverwritten_StillVerifies(t *testing.T) {
	key := bytes.Clone(first)
	s := token.New([][]byte{key})
	text := sign(t, s, token.Claims{Subject: "alice"}, token.Life)
	clear(key)
	if _, err := s.Verify(text); err != nil {
		t.Error(err)
	}
}

func TestCheckKeys_EmptyOrShort_Error(t *testing.T) {
	for _, c := range []struct {
		keys [][]byte
		want string
	}{
		{[][]byte{first, second}, ""},
		{[][]byte{first[:token.MinKey]}, ""},
		{nil, "empty"},
		{[][]byte{}, "empty"},
		{[][]byte{first, first[:token.MinKey-1]}, "key 2 has 31 bytes"},
		{[][]byte{nil}, "key 1 has 0 bytes"},
	} {
		err := token.CheckKeys(c.keys)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d keys: %v, want %q", len(c.keys), err, c.want)
		}
	}
}

// A time of a token is a number (RFC 7519, section 2), also when whoever wrote it knows
// the key.
func TestSigner_Verify_TimeIsAString_Refused(t *testing.T) {
	s := token.New([][]byte{first})
	header, payload := parts(t, s)
	for name, c := range map[string]struct {
		change string // of the payload, an expression; "$1" is the time
		to     string
		valid  bool
	}{
		"as it was":           {`"exp":(\d+)`, `"exp":$1`, true},
		"a fraction":          {`"exp":(\d+)`, `"exp":$1.5`, true},
		"exp is a string":     {`"exp":(\d+)`, `"exp":"$1"`, false},
		"nbf is a string":     {`"nbf":(\d+)`, `"nbf":"$1"`, false},
		"iat is a string":     {`"iat":(\d+)`, `"iat":"$1"`, false},
		"exp is a long one":   {`"exp":(\d+)`, `"exp": "$1.0"`, false},
		"exp is a list":       {`"exp":(\d+)`, `"exp":[$1]`, false},
		"exp is null":         {`"exp":(\d+)`, `"exp":null`, false},
		"a string, then not":  {`"exp":(\d+)`, `"exp":"$1","exp":$1`, true}, // the last counts
		"a number, then not":  {`"exp":(\d+)`, `"exp":$1,"exp":"$1"`, false},
		"in capitals":         {`"exp":(\d+)`, `"exp":$1,"EXP":"$1"`, false},
		"another claim is so": {`"jti":"`, `"own2":"1","jti":"`, true},
	} {
		changed := regexp.MustCompile(c.change).ReplaceAllString(payload, c.to)
		if _, err := s.Verify(signed(header, changed)); (err == nil) != c.valid {
			t.Errorf("%s: %v, payload %s", name, err, changed)
		}
	}
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

func TestSigner_Secret_IsKnownByTheKeyThatMadeIt(t *testing.T) {
	a, b := token.New([][]byte{first}), token.New([][]byte{second, first})
	secret := a.NewSecret("label", "name")
	if secret == a.NewSecret("label", "name") {
		t.Error("two secrets are the same")
	}
	if !a.MadeSecret("label", "name", secret) || !b.MadeSecret("label", "name", secret) {
		t.Error("not known by its key")
	}
	for name, made := range map[string]bool{
		"another label": a.MadeSecret("other", "name", secret), "another name": a.MadeSecret("label", "nam", secret),
		"cut": a.MadeSecret("label", "name", secret[:len(secret)-1]), "longer": a.MadeSecret("label", "name", secret+"A"),
		"empty": a.MadeSecret("label", "name", ""), "another key": a.MadeSecret("label", "name", b.NewSecret("label", "name")),
	} {
		if made {
			t.Errorf("%s: counts as made", name)
		}
	}
}

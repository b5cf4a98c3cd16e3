package token

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// A token that nobody here has signed costs nothing for what it says: its signature comes first.
// The claims that are read before cost by their bytes, not by their number.
func TestSigner_ForgedTokenOfManyClaims_IsNotRead(t *testing.T) {
	var claims strings.Builder
	claims.WriteString(`{"iss":"farwire","aud":"farwire"`)
	for i := range 4000 {
		fmt.Fprintf(&claims, `,"c_%x":1`, i)
	}
	claims.WriteString("}")
	encode := base64.RawURLEncoding.EncodeToString
	s := New(nil)
	forged := encode([]byte(`{"alg":"HS256","typ":"JWT","kid":"`+(*s.keys.Load())[0].id+`"}`)) + "." + encode([]byte(claims.String())) + "." + encode(make([]byte, 32))
	if !s.Ours(forged) {
		t.Error("it has not the form of ours")
	}
	if c, err := s.Verify(forged); err == nil {
		t.Errorf("it is valid: %+v", c)
	}
	for name, call := range map[string]func(){"Ours": func() { s.Ours(forged) }, "Verify": func() { s.Verify(forged) }} {
		if n := testing.AllocsPerRun(5, call); n > 100 {
			t.Errorf("%s allocates %v times for 4000 claims", name, n)
		}
	}
}

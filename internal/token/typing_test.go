package token

import "testing"

// Names like ours are typing errors, and those of other programs are not.
func TestMistyped_NameLikeOurs_IsRefused(t *testing.T) {
	for _, name := range []string{"alow", "allwo", "alllow", "Allows", "allowed", "farwire_allow", "farwireAllow", "allow_list",
		"deny", "deni", "dney", "denylist", "deny-hosts", "kind", "knids", "kins", "farwire.kinds", "limit", "limts", "limits_v2"} {
		if known(name, claims) || !closes(name) {
			t.Errorf("%q is let pass", name)
		}
	}
	for _, name := range []string{"email", "email_verified", "scope", "roles", "azp", "acr", "amr", "cnf", "name", "nonce", "client_id", "tenant",
		"at_hash", "session_state", "realm_access", "groups", "preferred_username", "auth_time", "sid", "https://example.com/org", "owner", "locale"} {
		if closes(name) {
			t.Errorf("%q is refused", name)
		}
	}
	for _, name := range claims {
		if !known(name, claims) {
			t.Errorf("%q is not known", name)
		}
	}
}

package farwire_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/farwire/farwire"
)

func TestEndRevoked_KeyGoneAtOneGateway_IsGoneEverywhere(t *testing.T) {
	const stays, goes = "0123456789abcdef-stays", "0123456789abcdef-goes"
	all := map[string]farwire.Principal{stays: {Subject: "alice"}, goes: {Subject: "bob"}}
	bus := new(farwire.LocalBus)
	make := func(name string) (*farwire.KeySet, *farwire.Gateway) {
		keys, err := farwire.NewKeySet(all)
		if err != nil {
			t.Fatal(err)
		}
		g, err := farwire.New(farwire.Options{Auth: keys, Bus: bus.Join(name)})
		if err != nil {
			t.Fatal(err)
		}
		return keys, g
	}
	status := func(g *farwire.Gateway, key string) int {
		r := httptest.NewRequest(http.MethodGet, "/usage", nil)
		r.Header.Set("X-API-Key", key)
		w := httptest.NewRecorder()
		g.Usage().ServeHTTP(w, r)
		return w.Code
	}
	keys, one := make("one")
	_, two := make("two")
	replace := func(with map[string]farwire.Principal) {
		if err := keys.Replace(with); err != nil {
			t.Fatal(err)
		}
		one.EndRevoked(t.Context())
	}
	if status(two, goes) != http.StatusOK {
		t.Fatal("the key is not valid")
	}
	replace(map[string]farwire.Principal{stays: {Subject: "alice"}})
	_, late := make("late")
	for name, g := range map[string]*farwire.Gateway{"one": one, "two": two, "late": late} {
		if a, b := status(g, goes), status(g, stays); a != http.StatusForbidden || b != http.StatusOK {
			t.Errorf("%s: the key that is gone %d, the other %d", name, a, b)
		}
	}
	replace(all)
	if a := status(two, goes); a != http.StatusOK {
		t.Errorf("the key is there again, and it is answered %d", a)
	}
}

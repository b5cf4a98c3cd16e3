package sqlstore_test

import (
	"sync"
	"testing"
)

// All who open the database get the same secret, also when several ask at once.
func secrets(t *testing.T, url string) {
	const gateways = 4
	got := make([]string, gateways)
	var wg sync.WaitGroup
	for i := range gateways {
		s := open(t, url)
		wg.Go(func() {
			secret, err := s.Secret(t.Context(), "hosted-files")
			if err != nil {
				t.Error(err)
			}
			got[i] = string(secret)
		})
	}
	wg.Wait()
	for _, secret := range got {
		if len(secret) < 32 || secret != got[0] {
			t.Fatalf("secrets of %d and %d bytes differ", len(got[0]), len(secret))
		}
	}
	other, err := open(t, url).Secret(t.Context(), "another")
	if err != nil || len(other) < 32 || string(other) == got[0] {
		t.Errorf("another name: %d bytes, %v", len(other), err)
	}
}

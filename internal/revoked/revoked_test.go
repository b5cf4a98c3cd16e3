package revoked_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/internal/leak"
	"github.com/farwire/farwire/internal/revoked"
)

func TestMain(m *testing.M) { leak.Main(m) }

// compare returns what a look at the valid keys has published, in an order that does not
// change.
func compare(k *revoked.Keys, valid ...string) []string {
	var published []string
	k.Compare(func() ([]string, bool) { return valid, true }, func(id string, restored bool) {
		published = append(published, fmt.Sprint(id, " ", restored))
	})
	slices.Sort(published)
	return published
}

func TestKeys_Compare_PublishesWhatIsLostAndBack(t *testing.T) {
	var k revoked.Keys
	for i, look := range []struct{ valid, want []string }{
		{[]string{"a", "b", "c"}, nil},                       // the first look
		{[]string{"a", "b", "c"}, nil},                       // no change
		{[]string{"b", "d"}, []string{"a false", "c false"}}, // two are lost, one is new
		{[]string{"b", "d"}, nil},                            // said once
		{[]string{"a", "b", "d"}, []string{"a true"}},
		{[]string{"a"}, []string{"b false", "d false"}},
		{nil, []string{"a false"}},
		{[]string{"a", "b", "c", "d"}, []string{"a true", "b true", "c true", "d true"}},
	} {
		if got := compare(&k, look.valid...); !slices.Equal(got, look.want) {
			t.Errorf("look %d at %v published %v, want %v", i, look.valid, got, look.want)
		}
	}
}

func TestKeys_LookFails_NothingIsLost(t *testing.T) {
	var k revoked.Keys
	compare(&k, "a", "b")
	k.Compare(func() ([]string, bool) { return nil, false }, func(id string, _ bool) { t.Errorf("%s is published", id) })
	if got, want := compare(&k, "a"), []string{"b false"}; !slices.Equal(got, want) {
		t.Errorf("then published %v, want %v", got, want)
	}
}

func TestKeys_Note_CountsUntilItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var k revoked.Keys
		k.Note("a", time.Now().Add(time.Hour))
		k.Note("b", time.Now().Add(time.Hour))
		k.Note("b", time.Time{}) // valid again
		if !k.Has("a") || k.Has("b") || k.Has("c") {
			t.Errorf("a %v, b %v, c %v", k.Has("a"), k.Has("b"), k.Has("c"))
		}
		time.Sleep(time.Hour)
		if k.Has("a") {
			t.Error("a is revoked when its time is over")
		}
	})
}

// Each request asks whether its key is revoked. It does not wait for a look at the keys,
// which calls parts of the host.
func TestKeys_HasDuringCompare_DoesNotWait(t *testing.T) {
	var k revoked.Keys
	k.Note("a", time.Now().Add(time.Hour))
	asked := make(chan bool)
	ask := func() {
		go func() { asked <- k.Has("a") }()
		select {
		case has := <-asked:
			if !has {
				t.Error("the key is not revoked")
			}
		case <-time.After(10 * time.Second):
			t.Error("the question waits")
			<-asked
		}
	}
	look := func(ids ...string) func() ([]string, bool) {
		return func() ([]string, bool) { ask(); return ids, true }
	}
	var published sync.Once
	k.Compare(look("b"), nil)
	k.Compare(look(), func(string, bool) { published.Do(ask) })
}

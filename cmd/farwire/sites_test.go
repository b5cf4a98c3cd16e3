package main

import (
	"reflect"
	"testing"

	"github.com/farwire/farwire/adapters/sqlstore"
)

// A gateway asks a store what it is beside a SiteStore, so that a method which is missing
// in front of it is a feature that is off, and no error.
func TestReopeningSites_StoreBehindIt_HasTheSameMethods(t *testing.T) {
	apart := map[string]bool{
		"Close": true, // it has its own
		"Log":   true, // no gateway reads it
	}
	front, store := reflect.TypeFor[*reopeningSites](), reflect.TypeFor[*sqlstore.Store]()
	compared := 0
	for m := range store.Methods() {
		if apart[m.Name] {
			continue
		}
		compared++
		got, ok := front.MethodByName(m.Name)
		if !ok {
			t.Errorf("%v has no method %s", front, m.Name)
			continue
		}
		same := got.Type.NumIn() == m.Type.NumIn() && got.Type.NumOut() == m.Type.NumOut()
		for i := 1; same && i < m.Type.NumIn(); i++ {
			same = got.Type.In(i) == m.Type.In(i)
		}
		for i := 0; same && i < m.Type.NumOut(); i++ {
			same = got.Type.Out(i) == m.Type.Out(i)
		}
		if !same {
			t.Errorf("%s is %v, that of the store %v", m.Name, got.Type, m.Type)
		}
	}
	if compared < 12 {
		t.Errorf("%d methods compared", compared)
	}
}

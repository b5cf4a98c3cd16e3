package hostcall_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/internal/hostcall"
)

func TestGet_PartPanics_IsItsError(t *testing.T) {
	fails := errors.New("fails")
	if v, err := hostcall.Get(func() (int, error) { return 7, fails }); v != 7 || err != fails {
		t.Errorf("got %d, %v", v, err)
	}
	panics := func() error { panic("boom") }
	for what, err := range map[string]error{
		"Do":  hostcall.Do(panics),
		"Get": func() error { _, err := hostcall.Get(func() (int, error) { return 7, panics() }); return err }(),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "panic: boom\n") || !strings.Contains(err.Error(), "hostcall_test.go") {
			t.Errorf("%s: %v, want the panic with its stack", what, err)
		}
	}
}

func TestLog_PartPanics_IsALine(t *testing.T) {
	var log harness.Log
	if !hostcall.Log(log.Logger(), "Bus.Publish", func() {}) || log.String() != "" {
		t.Errorf("no panic, and logged %q", log.String())
	}
	if hostcall.Log(log.Logger(), "Bus.Publish", func() { panic("boom") }) {
		t.Error("a panic is not reported")
	}
	if s := log.String(); !strings.Contains(s, "part=Bus.Publish panic=boom") || strings.Count(s, "\n") != 1 {
		t.Errorf("logged %q", s)
	}
}

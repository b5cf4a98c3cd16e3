package fault_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/fault"
)

// foreign is an error of another package that knows its public error.
type foreign struct{}

func (foreign) Error() string { return "10.0.0.1 says no" }
func (foreign) As(target any) bool {
	to, ok := target.(**fault.Error)
	if ok {
		*to = fault.New(fault.AgentLost, "agent lost")
	}
	return ok
}

func TestOf_ErrorTree_ReturnsTheOutermost(t *testing.T) {
	cause := errors.New("dial tcp 10.0.0.1:443: refused")
	inner := fault.Wrap(fault.TargetUnreachable, "target unreachable", cause)
	for name, c := range map[string]struct {
		err   error
		class fault.Class
		text  string
	}{
		"nil":              {nil, fault.Internal, ""},
		"other error":      {cause, fault.Internal, ""},
		"itself":           {inner, fault.TargetUnreachable, "target unreachable"},
		"wrapped":          {fmt.Errorf("attempt 2: %w", inner), fault.TargetUnreachable, "target unreachable"},
		"one over another": {fault.Wrap(fault.ProxyFailed, "proxy unreachable", inner), fault.ProxyFailed, "proxy unreachable"},
		"foreign":          {fmt.Errorf("attempt 1: %w", foreign{}), fault.AgentLost, "agent lost"},
		"joined":           {errors.Join(cause, inner), fault.TargetUnreachable, "target unreachable"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fault.ClassOf(c.err); got != c.class {
				t.Errorf("class %v, want %v", got, c.class)
			}
			e := fault.Of(c.err)
			if (e == nil) != (c.text == "") || e != nil && e.Text != c.text {
				t.Errorf("face %v, want text %q", e, c.text)
			}
			if fault.Is(c.err, c.class) != (e != nil) {
				t.Errorf("Is reports %v", fault.Is(c.err, c.class))
			}
		})
	}
	if !errors.Is(fmt.Errorf("x: %w", inner), cause) {
		t.Error("the cause is lost")
	}
}

func TestError_Cause_OnlyInTheLogsText(t *testing.T) {
	e := fault.Wrap(fault.TLSFailed, "TLS: handshake failed", errors.New("10.0.0.1: bad record"))
	if e.Text != "TLS: handshake failed" || e.Short() != e.Text {
		t.Errorf("public text %q, short %q", e.Text, e.Short())
	}
	if got, want := e.Error(), "TLS: handshake failed: 10.0.0.1: bad record"; got != want {
		t.Errorf("text for the log %q, want %q", got, want)
	}
	// A cause that says the same is not said twice.
	if got := fault.Wrap(fault.AgentUnavailable, "no agent fits geo DE", errors.New("no agent fits")).Error(); got != "no agent fits geo DE" {
		t.Errorf("text %q", got)
	}
}

func TestClass_Each_IsOfOneSide(t *testing.T) {
	for c := range fault.Classes {
		if c.OfTarget() && c.OfAgent() {
			t.Errorf("class %d is the fault of both", c)
		}
		if c.OfHandshake() && !c.OfTarget() {
			t.Errorf("class %d: a handshake that is not the target's", c)
		}
	}
	timeout := &fault.Error{Class: fault.TargetTimeout, Text: "target timed out", Detail: "timed out", RetryAfter: time.Second}
	if !timeout.Timeout() || timeout.Short() != "timed out" || fault.New(fault.Draining, "").Timeout() {
		t.Error("Timeout or Short is wrong")
	}
}

func TestPermanent_ForbiddenTarget_IsTheLastWord(t *testing.T) {
	for c := range fault.Classes {
		if e := fault.New(c, "no"); e.Permanent() != (c == fault.TargetForbidden) {
			t.Errorf("class %d: permanent %t", c, e.Permanent())
		}
	}
	if e := (&fault.Error{Class: fault.TargetForbidden, RetryAfter: time.Second}); e.Permanent() {
		t.Error("permanent, but with a time to come back")
	}
}

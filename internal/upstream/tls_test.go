package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/farwire/farwire/internal/fault"
)

// failing is a connection that takes all that is written and then fails.
type failing struct {
	net.Conn
	err error
}

func (f failing) Read([]byte) (int, error)    { return 0, f.err }
func (f failing) Write(b []byte) (int, error) { return len(b), nil }

// A handshake that another than the target ended is no fault of TLS.
func TestTLS_ConnectionEndsInHandshake_SaysWhoseFault(t *testing.T) {
	lost := fault.New(fault.AgentLost, "agent lost")
	for _, tt := range []struct {
		err     error
		class   fault.Class // zero: the error is not given one
		timeout bool
	}{
		{lost, fault.AgentLost, false},
		{context.Canceled, 0, false},
		{context.DeadlineExceeded, 0, true},
		{&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, 0, true},
		{io.EOF, fault.TLSFailed, false},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, fault.TLSFailed, false},
		{errors.New("another"), fault.TLSFailed, false},
	} {
		_, err := TLS{}.Handshake(t.Context(), failing{err: tt.err}, nil, "a.test")
		var class fault.Class
		if known := fault.Of(err); known != nil {
			class = known.Class
		}
		if class != tt.class || !errors.Is(err, tt.err) || fault.IsTimeout(err) != tt.timeout {
			t.Errorf("%v: %v, class %v, timeout %v", tt.err, err, class, fault.IsTimeout(err))
		}
	}
}

package preauth_test

import (
	"fmt"
	"io"
	"testing"
	"time"
)

// What a client has acknowledged is known on Linux alone.

// A client that has shown no key and takes no byte of an answer is closed, and its handler
// ends.
func TestHandler_AnswerUnread_IsEnded(t *testing.T) {
	for _, over2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %v", over2), func(t *testing.T) {
			t.Parallel()
			s, ended := serveLarge(t, over2, time.Second)
			c := dial(t, s)
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			wantCut(t, ended)
			if n, err := io.Copy(io.Discard, c); err == nil || n >= unread {
				t.Errorf("%d bytes are read, %v", n, err)
			}
		})
	}
}

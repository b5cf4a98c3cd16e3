package wsframe

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"time"

	"github.com/farwire/farwire/internal/safetext"
)

// The close codes that this package sends or reports (RFC 6455, section 7.4.1).
const (
	CloseNormal    = 1000
	CloseGoingAway = 1001
	CloseProtocol  = 1002
	CloseNoStatus  = 1005 // never on the wire: a close frame without a code
	CloseAbnormal  = 1006 // never on the wire: no close frame at all
	CloseInvalid   = 1007
	CloseTooBig    = 1009
	CloseInternal  = 1011
	CloseRestart   = 1012 // IANA: Service Restart
	CloseTryAgain  = 1013 // IANA: Try Again Later
)

// maxReason is what a close frame holds beside its code, in bytes.
const maxReason = maxControl - 2

// AppendText appends one unmasked text frame, a whole message, to b.
func AppendText(b, payload []byte) []byte {
	b = append(b, finBit|OpText)
	switch n := len(payload); {
	case n <= maxControl:
		b = append(b, byte(n))
	case n < 1<<16:
		b = append(b, 126)
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b = append(b, 127)
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	return append(b, payload...)
}

// AppendClose appends one unmasked close frame to b. A reason above 123 bytes
// is cut at a character.
func AppendClose(b []byte, code int, reason string) []byte {
	return appendClose(b, code, reason, false)
}

// ValidCloseCode reports whether a close frame may carry the code (RFC 6455, section
// 7.4, and the registry of close codes that it sets up).
func ValidCloseCode(code int) bool {
	switch {
	case code >= 3000 && code <= 4999:
		return true
	case code == 1004, code == 1005, code == 1006:
		return false
	}
	return code >= 1000 && code <= 1014
}

// WriteText writes one unmasked text frame, at most for the given time.
// Nobody else may be writing to conn: neither a running Hold nor a Pipe.
func WriteText(conn net.Conn, payload []byte, timeout time.Duration) error {
	return writeFrame(conn, AppendText(make([]byte, 0, len(payload)+maxHeader), payload), timeout)
}

func writeFrame(conn net.Conn, frame []byte, timeout time.Duration) error {
	if err := conn.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return fmt.Errorf("set write deadline: %w", err)
	}
	if _, err := conn.Write(frame); err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	if err := conn.SetWriteDeadline(time.Time{}); err != nil {
		return fmt.Errorf("clear write deadline: %w", err)
	}
	return nil
}

// appendClose appends a close frame, masked when it goes to a server.
func appendClose(b []byte, code int, reason string, masked bool) []byte {
	reason = safetext.Cut(reason, maxReason)
	payload := binary.BigEndian.AppendUint16(make([]byte, 0, maxControl), uint16(code))
	return appendControl(b, OpClose, append(payload, reason...), masked)
}

// appendControl appends a control frame, under a fresh key when masked.
func appendControl(b []byte, op byte, payload []byte, masked bool) []byte {
	if !masked {
		b = append(b, finBit|op, byte(len(payload)))
		return append(b, payload...)
	}
	var key [4]byte
	rand.Read(key[:]) // never fails (crypto/rand)
	b = append(b, finBit|op, maskBit|byte(len(payload)))
	b = append(b, key[:]...)
	for i, c := range payload {
		b = append(b, c^key[i&3])
	}
	return b
}

// controlFrame returns the length of the control frame whose complete header b
// begins with.
func controlFrame(b []byte) int {
	if b[1]&maskBit != 0 {
		return 6 + int(b[1]&^maskBit)
	}
	return 2 + int(b[1])
}

// controlPayload returns a copy of the payload of a control frame, unmasked.
func controlPayload(frame []byte) []byte {
	if frame[1]&maskBit == 0 {
		return append([]byte(nil), frame[2:]...)
	}
	p := append([]byte(nil), frame[6:]...)
	for i := range p {
		p[i] ^= frame[2+i&3]
	}
	return p
}

// closeCode returns the code of a close frame's payload.
func closeCode(payload []byte) int {
	if len(payload) < 2 {
		return CloseNoStatus
	}
	return int(binary.BigEndian.Uint16(payload))
}

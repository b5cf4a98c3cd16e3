package amqpwire

import (
	"bytes"
	"errors"
	"fmt"
)

// Errors of a peer that is not the broker that was asked for.
var (
	ErrTLS   = errors.New("the peer speaks TLS")
	ErrOther = errors.New("the peer does not speak AMQP")
)

// A VersionError is a peer that speaks another version of AMQP, such as "1.0"
// or "0-10": it answers with a protocol header of its own (section 2.2.4 of the
// 0-9-1 specification).
type VersionError string

func (e VersionError) Error() string {
	return "the target speaks AMQP " + string(e) + ", not AMQP 0-9-1"
}

// checkProtocolHeader looks at the first bytes of the connection: a broker begins with
// connection.start, on channel 0.
func checkProtocolHeader(have []byte) error {
	if len(have) == 0 {
		return nil
	}
	const header = "AMQP"
	switch {
	case have[0] == typeMethod && (len(have) < 2 || have[1] == 0):
		return nil
	case have[0] >= 0x14 && have[0] <= 0x17: // TLS content types (RFC 8446, section 5.1)
		return ErrTLS
	case len(have) < 8 && bytes.HasPrefix([]byte(header), have[:min(4, len(have))]):
		return nil
	case bytes.HasPrefix(have, []byte(header)):
		return version([4]byte(have[4:8]))
	}
	return ErrOther
}

// version reads what follows the letters of a protocol header. AMQP 1.0 has a
// protocol id, major, minor and revision (section 2.2 of its part 2), AMQP 0-10
// a class, an instance, major and minor, AMQP 0-9-1 a zero and the three.
func version(b [4]byte) VersionError {
	switch {
	case b[1] == 1 && b[2] == 0 && b[3] == 0:
		return "1.0"
	case b[0] == 1 && b[1] == 1:
		return VersionError(fmt.Sprintf("%d-%d", b[2], b[3]))
	}
	return VersionError(fmt.Sprintf("%d-%d-%d", b[1], b[2], b[3]))
}

// Package socks speaks the server's side of SOCKS5 (RFC 1928) with user name and
// password (RFC 1929) as far as the request; what is done for it is the caller's
// affair.
//
//	client                          server
//	05 n METHODS            ──▶
//	                        ◀──     05 02       user name and password, or 05 ff
//	01 n USER n PASSWORD    ──▶
//	                        ◀──     01 STATUS   0: go on
//	05 CMD 00 ADDRESS PORT  ──▶
//	                        ◀──     05 REPLY 00 ADDRESS PORT
//
// It reads each message to its last byte and no further: what the client sends
// behind its request stays in the connection.
package socks

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
)

// A Reply says how a request went (RFC 1928, section 6).
type Reply byte

// The replies in use.
const (
	Succeeded           Reply = 0
	Failed              Reply = 1
	Forbidden           Reply = 2
	HostUnreachable     Reply = 4
	Refused             Reply = 5
	CommandNotSupported Reply = 7
)

// Errors of a client that does not speak as it should, or cannot be served. It
// was told where the protocol has words for it.
var (
	ErrProtocol = errors.New("not SOCKS5 with user name and password")
	ErrMethod   = errors.New("the client offers no user name and password")
	ErrCommand  = errors.New("the command is not CONNECT")
	ErrAddress  = errors.New("the address is of an unknown type")
)

const (
	version     = 5
	authVersion = 1
	byPassword  = 2
	noMethod    = 0xff
	version4    = 4
	connect     = 1

	typeIPv4 = 1
	typeName = 3
	typeIPv6 = 4
)

// rejected4 is SOCKS4's "request rejected or failed".
const rejected4 = "\x00\x5b\x00\x00\x00\x00\x00\x00"

// notHTTP is the answer to a request of HTTP.
const notHTTP = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/json\r\nX-Farwire-From: gateway\r\n\r\n" +
	`{"detail":"this port speaks SOCKS5 (socks5h://) and not HTTP: the HTTP proxy is on the gateway's own port","code":"bad_request"}`

// Credentials are what the client says who it is.
type Credentials struct{ User, Password string }

// ReadCredentials agrees on user name and password and reads them. The caller
// answers with Accept. A client that does not offer them is told so.
func ReadCredentials(rw io.ReadWriter) (Credentials, error) {
	var c Credentials
	head, err := read(rw, 1)
	if err != nil {
		return c, err
	}
	if head[0] != version {
		return c, refuseProtocol(rw, head[0])
	}
	methods, err := readCounted(rw)
	if err != nil {
		return c, err
	}
	offered := false
	for _, m := range methods {
		offered = offered || m == byPassword
	}
	if !offered {
		if _, err := rw.Write([]byte{version, noMethod}); err != nil {
			return c, err
		}
		return c, ErrMethod
	}
	if _, err := rw.Write([]byte{version, byPassword}); err != nil {
		return c, err
	}
	if head, err = read(rw, 1); err != nil {
		return c, err
	}
	if head[0] != authVersion {
		return c, fmt.Errorf("%w: version %d of the credentials", ErrProtocol, head[0])
	}
	user, err := readCounted(rw)
	if err != nil {
		return c, err
	}
	password, err := readCounted(rw)
	return Credentials{string(user), string(password)}, err
}

// refuseProtocol tells a client of HTTP or SOCKS4, by its first byte, in its own protocol
// that this is another one.
func refuseProtocol(w io.Writer, first byte) error {
	told := ""
	switch {
	case first == version4:
		told = rejected4
	case 'A' <= first && first <= 'Z': // a method
		told = notHTTP
	}
	_, err := io.WriteString(w, told)
	return errors.Join(fmt.Errorf("%w: version %d", ErrProtocol, first), err)
}

// Accept says whether the credentials are good. After a no the client must be
// disconnected (RFC 1929, section 2).
func Accept(w io.Writer, good bool) error {
	status := byte(0)
	if !good {
		status = 1
	}
	_, err := w.Write([]byte{authVersion, status})
	return err
}

// A Request is where a client wants to be connected to.
type Request struct {
	Host string // an address without brackets, or a name as the client sent it
	Port uint16
}

// ReadRequest reads a request to connect. A client that asks for another command,
// or by another type of address, has been told so when it returns an error.
func ReadRequest(rw io.ReadWriter) (Request, error) {
	var r Request
	head, err := read(rw, 4)
	if err != nil {
		return r, err
	}
	if head[0] != version {
		return r, fmt.Errorf("%w: version %d of the request", ErrProtocol, head[0])
	}
	switch head[3] {
	case typeIPv4, typeIPv6:
		size := 4
		if head[3] == typeIPv6 {
			size = 16
		}
		b, err := read(rw, size)
		if err != nil {
			return r, err
		}
		a, _ := netip.AddrFromSlice(b) // of 4 or 16 bytes it always is one
		r.Host = a.String()
	case typeName:
		b, err := readCounted(rw)
		if err != nil {
			return r, err
		}
		r.Host = string(b)
	default:
		return r, errors.Join(ErrAddress, Answer(rw, Failed))
	}
	port, err := read(rw, 2)
	if err != nil {
		return r, err
	}
	r.Port = uint16(port[0])<<8 | uint16(port[1])
	if head[1] != connect {
		return r, errors.Join(ErrCommand, Answer(rw, CommandNotSupported))
	}
	return r, nil
}

// Answer answers a request. The address of the connection is nobody's business
// and left at zero.
func Answer(w io.Writer, r Reply) error {
	_, err := w.Write([]byte{version, byte(r), 0, typeIPv4, 0, 0, 0, 0, 0, 0})
	return err
}

func read(r io.Reader, n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, err
}

// readCounted reads bytes that come behind their number.
func readCounted(r io.Reader) ([]byte, error) {
	n, err := read(r, 1)
	if err != nil {
		return nil, err
	}
	return read(r, int(n[0]))
}

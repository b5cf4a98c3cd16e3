//go:build !unix

package agent

import "net"

// reader returns a function that reads from c into what take returns.
func reader(c net.Conn, take func() []byte, _ func()) func() (int, error) {
	return plainReader(c, take)
}

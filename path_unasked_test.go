package farwire_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// What a target sends behind its answer is not the answer to the next request, through an
// agent either.
func TestPathForm_UnaskedAnswerThroughAnAgent_IsNobodys(t *testing.T) {
	certs := httptest.NewUnstartedServer(nil)
	certs.StartTLS()
	defer certs.Close()
	for _, hop := range []bool{false, true} {
		pool, near := attachedPools(t, agent.RunOptions{AllowPrivate: true})
		if hop {
			pool = near
		}
		w := newPathWorld(t, http.NotFoundHandler(), func(o *farwire.Options) {
			o.Agents = pool
			o.RootCAs = x509.NewCertPool()
			o.RootCAs.AddCert(certs.Certificate())
		})
		for _, scheme := range []string{"http", "https"} {
			t.Run(fmt.Sprintf("%s, hop %v", scheme, hop), func(t *testing.T) {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				go func() {
					for {
						raw, err := l.Accept()
						if err != nil {
							return
						}
						go answerTwice(raw, scheme == "https", certs.TLS.Certificates)
					}
				}()
				for i := range 50 {
					req := w.request("POST", "/", nil)
					req.URL.Opaque = "/to/key=" + testKey + "/" + scheme + "/" + l.Addr().String() + "/"
					if resp, body := w.fetch(req); resp.StatusCode != 200 || body != "fine" {
						t.Fatalf("request %d: %d %q", i, resp.StatusCode, body)
					}
				}
			})
		}
	}
}

// answerTwice answers a request twice. Both answers leave at once, in two records of TLS if it
// is secure.
func answerTwice(raw net.Conn, secure bool, certificates []tls.Certificate) {
	defer raw.Close()
	held := &heldWrites{Conn: raw}
	var conn net.Conn = held
	if secure {
		conn = tls.Server(held, &tls.Config{Certificates: certificates})
	}
	br := bufio.NewReader(conn)
	for {
		if _, err := http.ReadRequest(br); err != nil {
			return
		}
		held.on = true
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled")
		held.on = false
		raw.Write(held.all)
		held.all = nil
	}
}

// A heldWrites keeps what is written, while it is on.
type heldWrites struct {
	net.Conn
	on  bool
	all []byte
}

func (c *heldWrites) Write(b []byte) (int, error) {
	if !c.on {
		return c.Conn.Write(b)
	}
	c.all = append(c.all, b...)
	return len(b), nil
}

// An answer may end with its connection, and many a server ends that without a word of TLS.
// That is the end; a record that is not whole is not.
func TestPathForm_AnswerEndsWithoutCloseNotify_IsWholeWhereARecordEnds(t *testing.T) {
	certs := httptest.NewUnstartedServer(nil)
	certs.StartTLS()
	defer certs.Close()
	for _, missing := range []int{0, 1} {
		target := newTCPTarget(t, func(raw *net.TCPConn) {
			held := &heldWrites{Conn: raw}
			conn := tls.Server(held, &tls.Config{Certificates: certs.TLS.Certificates})
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
				t.Error(err)
				return
			}
			io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\nfi")
			held.on = true
			io.WriteString(conn, "ne")
			raw.Write(held.all[:len(held.all)-missing])
			raw.Close()
		})
		w := newPathWorld(t, http.NotFoundHandler(), func(o *farwire.Options) {
			o.RootCAs = x509.NewCertPool()
			o.RootCAs.AddCert(certs.Certificate())
		})
		req := w.request("GET", "/", nil)
		req.URL.Opaque = "/to/key=" + testKey + "/https/" + target + "/"
		resp, err := plainClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if want := "fine"[:4-2*missing]; string(b) != want || (err != nil) != (missing > 0) {
			t.Errorf("%d bytes of the record are missing: %q, %v", missing, b, err)
		}
	}
}

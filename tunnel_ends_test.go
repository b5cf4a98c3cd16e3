package farwire_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// Whichever side of a tunnel ends its stream first, both get all that was sent to them, and an
// end behind it, also when it is read only after the tunnel has ended.
func TestForwardProxy_TunnelEnds_InEachOrderAllArrives(t *testing.T) {
	sent := bytes.Repeat([]byte("0123456789abcdef"), 10<<10) // which fits into the buffers on the way
	holder, near := attachedPools(t, agent.RunOptions{AllowPrivate: true})
	for exit, agents := range map[string]farwire.AgentSelector{"direct": direct(t, agent.DirectOptions{AllowPrivate: true}), "agent": holder, "hop": near} {
		w := newProxyWorld(t, http.NotFoundHandler(), func(o *farwire.Options) { o.Agents = agents })
		secure := httptest.NewTLSServer(w.server.Config.Handler)
		t.Cleanup(secure.Close)
		for name, dial := range map[string]func() (net.Conn, error){
			"TCP": w.dialIn,
			"TLS": func() (net.Conn, error) {
				return tls.Dial("tcp", secure.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
			},
		} {
			for _, first := range []string{"client", "target", "neither"} {
				t.Run(fmt.Sprint(exit, ", ", name, ", ", first, " first"), func(t *testing.T) {
					w.dialIn = dial
					targets := make(chan net.Conn, 1)
					over := make(chan struct{})
					addr := newTCPTarget(t, func(c *net.TCPConn) { targets <- c; <-over })
					defer close(over)
					client, br, _ := w.connect(addr, "any", testKey)
					target := <-targets
					read := func(side string) {
						from := io.Reader(br)
						if side == "target" {
							from = target
						}
						if got, err := io.ReadAll(from); err != nil || !bytes.Equal(got, sent) {
							t.Errorf("the %s got %d bytes of %d, %v", side, len(got), len(sent), err)
						}
					}
					end := func(c net.Conn) {
						_, err := c.Write(sent)
						if err := errors.Join(err, c.(interface{ CloseWrite() error }).CloseWrite()); err != nil {
							t.Error(err)
						}
					}
					late := []string{"client", "target"}
					switch first {
					case "client":
						end(client)
						read("target")
						end(target)
						late = late[:1]
					case "target":
						end(target)
						read("client")
						end(client)
						late = late[1:]
					default:
						end(client)
						end(target)
					}
					waitUntil(t, "the end of the session", func() bool { return w.gw.Stats().Kinds[farwire.KindTunnel].Active == 0 })
					for _, side := range late {
						read(side)
					}
				})
			}
		}
	}
}

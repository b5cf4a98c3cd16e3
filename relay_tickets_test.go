package farwire_test

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
)

// A session with a wss target resumes that of the same caller, and of nobody else, nor
// one that was verified in another way.
func TestRelay_TLS_ResumesForItsOwnerAlone(t *testing.T) {
	known := newAuthority(t)
	w := newWorld(t, func(o *farwire.Options) { o.RootCAs, o.AllowInsecure = known.pool, true })
	resumed := make(chan bool, 1)
	listen := func() string {
		ln := known.listen(t, time.Hour, "127.0.0.1", "a.example")
		serveTarget(t, ln, func(p *peer) {
			resumed <- p.conn.(*tls.Conn).ConnectionState().DidResume
			echo(p)
		})
		return "wss://" + ln.Addr().String() + "/"
	}
	one, other := listen(), listen()
	authority := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: known.cert.Raw}))
	for _, tt := range []struct {
		name, key, url, more string
		want                 bool
	}{
		{"the first", testKey, one, "", false},
		{"the same again", testKey, one, "", true},
		{"another caller", otherKey, one, "", false},
		{"that caller again", otherKey, one, "", true},
		{"another port", testKey, other, "", false},
		{"a sticky session", testKey, one, `"session":"a"`, false},
		{"the sticky session again", testKey, one, `"session":"a"`, true},
		{"another sticky session", testKey, one, `"session":"b"`, false},
		{"unverified", testKey, one, `"insecure":true`, false},
		{"another name", testKey, one, `"server_name":"a.example"`, false},
		{"roots of its own", testKey, one, fmt.Sprintf(`"ca":%q`, authority), false},
		{"as at first", testKey, one, "", true},
	} {
		p := w.in(t).open("/ws")
		message := fmt.Sprintf(`{"apiKey":%q,"url":%q,%s}`, tt.key, tt.url, tt.more)
		p.frame(opText, true, []byte(strings.Replace(message, ",}", "}", 1)))
		p.wantConnected()
		if got := <-resumed; got != tt.want {
			t.Errorf("%s: resumed %v, want %v", tt.name, got, tt.want)
		}
		p.close(1000, "")
	}
}

package farwire_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/brokertest"
)

// pair makes a certificate and its key in PEM.
func pair(t testing.TB) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return text("CERTIFICATE", der), text("PRIVATE KEY", pkcs8)
}

func jsonText(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAMQP_InvalidRequest_400NamesTheField(t *testing.T) {
	cert, key := pair(t)
	_, other := pair(t)
	deep := strings.Repeat(`{"a": `, 10) + "1" + strings.Repeat("}", 10)
	names := make(map[string]int)
	for i := range 101 {
		names[fmt.Sprint("n", i)] = i
	}
	w := newWorld(t, func(o *farwire.Options) { o.Agents = exits{} })
	for _, c := range []struct{ fields, detail string }{
		{`"session": "a b"`, "session must be 1 to 64 of the characters"},
		{`"session": 7`, "session must be a string"},
		{`"queue": "q", "queue_prefix": "p"`, "leave out queue_prefix"},
		{`"queue": "q", "exchange": "e"`, "leave out exchange"},
		{`"queue": "q", "routing_key": "#"`, "leave out routing_key"},
		{`"queue": "q", "routing_key": ["a"]`, "leave out routing_key"},
		{`"queue": "q", "bindings": [{"exchange": "e"}]`, "leave out bindings"},
		{`"queue": ""`, "queue must be the name of a queue"},
		{`"queue": 5`, "queue must be a string"},
		{`"queue": "` + strings.Repeat("q", 256) + `"`, "queue must be at most 255 bytes"},
		{`"offset": "first"`, "offset is where an existing stream queue is read from; give queue too"},
		{`"queue": "q", "offset": "begin"`, "offset must be first, last, next, a number, or a time"},
		{`"queue": "q", "offset": ""`, "offset must be first"},
		{`"queue": "q", "offset": -1`, "offset must be first"},
		{`"queue": "q", "offset": 1.5`, "offset must be first"},
		{`"queue": "q", "offset": "2026-13-01T00:00:00Z"`, "offset must be first"},
		{`"queue": "q", "offset": ["first"]`, "offset must be first"},
		{`"routing_key": []`, "routing_key is an empty list"},
		{`"routing_key": [1]`, "routing_key must be an array of strings"},
		{`"routing_key": {"a": 1}`, "routing_key must be a string"},
		{`"exchange": "e", "routing_key": ["a", "` + strings.Repeat("k", 256) + `"]`, "routing_key must be at most 255 bytes"},
		{`"bindings": []`, "bindings is an empty list"},
		{`"bindings": {"exchange": "e"}`, "bindings must be an array of objects"},
		{`"bindings": ["e"]`, "bindings[0]"},
		{`"bindings": [{"exchange": "e"}, {"routing_key": "k"}]`, "bindings[1]: exchange is missing"},
		{`"bindings": [{"exchange": "e", "arguments": []}]`, "bindings[0]: arguments must be an object"},
		{`"bindings": [{"exchange": "e", "arguments": {"a": 1, "a": 2}}]`, `"a" is given twice`},
		{`"bindings": [{"exchange": "e", "arguments": {"a": 9223372036854775808}}]`, "9223372036854775808 is larger than 64 bits"},
		{`"bindings": [{"exchange": "e", "arguments": {"a": 1e999}}]`, "1e999 is larger than a double"},
		{`"bindings": [{"exchange": "e", "arguments": ` + deep + `}]`, "nested too deep"},
		{`"bindings": [{"exchange": "e", "arguments": ` + jsonText(t, names) + `}]`, "more than 100 names"},
		{`"prefetch": 0`, "prefetch must be a whole number from 1 to 5000"},
		{`"prefetch": 5001`, "prefetch must be a whole number from 1 to 5000"},
		{`"insecure": true`, "insecure is about TLS; give ssl: true too"},
		{`"ssl": true, "insecure": true`, "insecure is not allowed here; the operator allows it with --allow-insecure"},
		{`"ssl": true, "ca": "no PEM"`, "ca must be certificates in PEM"},
		{`"ssl": true, "server_name": "a b"`, "server_name is not valid"},
		{`"server_name": "a"`, "server_name is about TLS"},
		{`"cert": ` + jsonText(t, cert) + `, "cert_key": ` + jsonText(t, key), "cert is about TLS"},
		{`"ssl": true, "cert": ` + jsonText(t, cert), "cert_key is missing"},
		{`"ssl": true, "cert_key": ` + jsonText(t, key), "cert is missing"},
		{`"ssl": true, "cert": ` + jsonText(t, cert) + `, "cert_key": ` + jsonText(t, other), "cert and cert_key must be a certificate and its key in PEM"},
		{`"ssl": true, "cert": ` + jsonText(t, cert) + `, "cert_key": ` + jsonText(t, strings.Repeat("k", 8193)), "cert_key is longer than 8192 bytes"},
		{`"ssl": true, "cert": ` + jsonText(t, cert) + `, "cert_key": ` + jsonText(t, encryptedKey("ENCRYPTED PRIVATE KEY")), "cert_key is encrypted; send it without a passphrase"},
		{`"ssl": true, "cert": ` + jsonText(t, cert) + `, "cert_key": ` + jsonText(t, encryptedKey("EC PRIVATE KEY", "Proc-Type", "4,ENCRYPTED", "DEK-Info", "AES-128-CBC,00")), "cert_key is encrypted; send it without a passphrase"},
		{`"ssl": true, "cert": ` + jsonText(t, cert) + `, "cert_key": ` + jsonText(t, encryptedKey("PRIVATE KEY")), "cert and cert_key must be a certificate and its key in PEM"},
	} {
		s := w.subscribe(strings.Replace(subscription, "}", ", "+c.fields+"}", 1))
		var answer struct{ Detail, Code string }
		if s.resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%.100s: status %d", c.fields, s.resp.StatusCode)
			continue
		}
		if err := json.NewDecoder(s.br).Decode(&answer); err != nil || !strings.Contains(answer.Detail, c.detail) || answer.Code != "bad_request" {
			t.Errorf("%.100s: %+v, %v; want %s", c.fields, answer, err, c.detail)
		}
		if strings.Contains(answer.Detail, "PRIVATE") || strings.Contains(answer.Detail, "MII") {
			t.Errorf("%.40s: %q holds what was sent", c.fields, answer.Detail)
		}
	}
	// A pair that does not fit is found when the caller has been admitted.
	w.wantLog(`kind=amqp subject=alice .*target=[a-z.0-9]+:\d+ ended_by=gateway code=400 cause=".*cert and cert_key must be`)
}

// encryptedKey is a PEM in the form of an encrypted key, with headers.
func encryptedKey(kind string, headers ...string) string {
	b := pem.Block{Type: kind, Headers: make(map[string]string), Bytes: []byte(strings.Repeat("secret", 50))}
	for i := 0; i < len(headers); i += 2 {
		b.Headers[headers[i]] = headers[i+1]
	}
	return string(pem.EncodeToMemory(&b))
}

// Without an API key nobody has the gateway compute with a private key.
func TestAMQP_ClientCertificateWithoutKey_IsNotRead(t *testing.T) {
	w := newWorld(t)
	const pair = `{"apiKey": "%s", "host": "broker.test", "ssl": true, "cert": "a", "cert_key": "b"}`
	for key, want := range map[string]int{"": http.StatusUnauthorized, "wrong": http.StatusForbidden, testKey: http.StatusBadRequest} {
		if s := w.subscribe(fmt.Sprintf(pair, key)); s.resp.StatusCode != want {
			t.Errorf("with the key %q: status %d, want %d", key, s.resp.StatusCode, want)
		}
	}
}

// What a client asks for reaches the broker.
func TestAMQP_BindingsAndPrefetch_ReachTheBroker(t *testing.T) {
	broker := &brokertest.Broker{}
	w := newWorld(t, func(o *farwire.Options) { o.Agents = brokerExit(broker) })
	w.subscribe(strings.Replace(subscription, "}", `, "exchange": "ex", "routing_key": ["a.#", "b.*"], "prefetch": 7,
		"bindings": [{"exchange": "h", "arguments": {"x-match": "all", "n": 5, "f": 1.5, "any": null}}, {"exchange": "t", "routing_key": ""}]}`, 1)).connected()
	var got []string
	for _, b := range broker.Asked(brokertest.QueueBind) {
		for _, want := range []string{"\x02ex\x03a.#", "\x02ex\x03b.*", "\x01h\x01#", "\x01t\x00"} {
			if b.Holds(want) {
				got = append(got, want)
			}
		}
	}
	if len(got) != 4 || len(broker.Asked(brokertest.QueueBind)) != 4 {
		t.Errorf("bound %v", broker.Asked(brokertest.QueueBind))
	}
	header := broker.Asked(brokertest.QueueBind)[2]
	for _, want := range []string{"\x01nl\x00\x00\x00\x00\x00\x00\x00\x05", "\x01fd\x3f\xf8", "\x03anyV"} {
		if !header.Holds(want) {
			t.Errorf("arguments %v have no %q", header, want)
		}
	}
	if qos := broker.Asked(brokertest.Qos); len(qos) != 1 || string(qos[0].Args) != "\x00\x00\x00\x00\x00\x07\x00" {
		t.Errorf("qos %v", qos)
	}

	// With the default exchange nothing is bound.
	broker = &brokertest.Broker{}
	w = newWorld(t, func(o *farwire.Options) { o.Agents = brokerExit(broker) })
	w.subscribe(subscription).connected()
	if got := broker.Asked(brokertest.QueueBind); len(got) != 0 {
		t.Errorf("bound %v", got)
	}
}

// An asked keeps what it is asked for.
type asked chan agent.Query

func (a asked) SelectAgent(_ context.Context, q agent.Query) (agent.Exit, error) {
	a <- q
	return agent.Exit{}, agent.ErrNoAgent
}

func TestAMQP_Session_IsAskedOfTheSelector(t *testing.T) {
	selector := make(asked, 1)
	w := newWorld(t, func(o *farwire.Options) { o.Agents = selector })
	w.subscribe(strings.Replace(subscription, "}", `, "session": "mine.1_a-b", "geo": "DE"}`, 1)).event()
	if q := <-selector; q.Session != "mine.1_a-b" || q.Subject != "alice" || q.Host != "broker.test" {
		t.Errorf("%+v", q)
	}
}

// A name that TLS asks for is a host of its own to the key's rules.
func TestAMQP_ServerName_IsUnderTheKeysRules(t *testing.T) {
	keys, err := farwire.NewKeySet(map[string]farwire.Principal{testKey: {Subject: "alice", Allow: []string{"broker.test"}}})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *farwire.Options) { o.Auth, o.Agents = keys, brokerExit(&brokertest.Broker{}) })
	for name, want := range map[string]string{"other.test": `"code": 1008, "reason": "target_forbidden"`, "BROKER.test": `"reason": "t`} {
		s := w.subscribe(strings.Replace(subscription, "}", `, "ssl": true, "server_name": "`+name+`"}`, 1))
		if e := s.event(); !strings.Contains(e, want) || strings.Contains(e, "forbidden") != (name == "other.test") {
			t.Errorf("%s: %s", name, e)
		}
	}
	w.subscribe(subscription).connected()
}

// The body of a request for a stream queue, and the header of one that goes on.
func TestAMQP_LastEventID_ContinuesAfterIt(t *testing.T) {
	for _, c := range []struct{ fields, header, want string }{
		{`"queue": "feed"`, "", "S\x00\x00\x00\x04next"},
		{`"queue": "feed", "offset": "first"`, "", "S\x00\x00\x00\x05first"},
		{`"queue": "feed", "offset": 7`, "", "l\x00\x00\x00\x00\x00\x00\x00\x07"},
		{`"queue": "feed", "offset": "2023-11-14T23:13:20+01:00"`, "", "T\x00\x00\x00\x00\x65\x53\xf1\x00"},
		{`"queue": "feed", "offset": "first"`, "258", "l\x00\x00\x00\x00\x00\x00\x01\x03"},
		{`"queue": "feed", "offset": "first"`, "not a number", "S\x00\x00\x00\x05first"},
		{`"queue": "feed"`, "-3", "S\x00\x00\x00\x04next"},
		{`"queue": "feed"`, "9223372036854775807", "S\x00\x00\x00\x04next"},
		{`"queue": "feed"`, "9223372036854775806", "l\x7f\xff\xff\xff\xff\xff\xff\xff"},
	} {
		broker := &brokertest.Broker{}
		w := newWorld(t, func(o *farwire.Options) { o.Agents = brokerExit(broker) })
		w.subscribe(strings.Replace(subscription, "}", ", "+c.fields+"}", 1), "Last-Event-ID: "+c.header).connectedTo("feed")
		got := broker.Asked(brokertest.Consume)
		if len(got) != 1 || !got[0].Holds("x-stream-offset"+c.want) || len(broker.Asked(brokertest.QueueDeclare)) != 0 {
			t.Errorf("%s, Last-Event-ID %q: consumed %v", c.fields, c.header, got)
		}
	}
}

func (s *subscriber) connectedTo(queue string) {
	s.t.Helper()
	s.want("event: connected", `data: {"node_id": "`+testAgent+`", "queue_name": "`+queue+`"}`)
}

// When the gateway drains, what was read is sent and acknowledged, because the
// next client of the queue must not get it again.
func TestAMQP_Draining_SentIsAcknowledged(t *testing.T) {
	broker := &brokertest.Broker{Serve: func(c *brokertest.Conn) { c.Deliver(1, "k", "x") }}
	w := newWorld(t, func(o *farwire.Options) { o.Agents = brokerExit(broker) })
	s := w.subscribe(strings.Replace(subscription, "}", `, "queue": "feed"}`, 1))
	s.connectedTo("feed")
	s.event()
	go w.gw.Shutdown(t.Context())
	s.want("event: error", `data: {"message": "the gateway is draining", "code": 1001, "reason": "draining"}`)
	s.ends()
	waitFor(t, func() bool { return len(broker.Asked(brokertest.Close)) == 1 })
	acks := broker.Asked(brokertest.Ack)
	if len(acks) != 1 || acks[0].Args[7] != 1 {
		t.Errorf("acknowledged %v", acks)
	}
}

func TestAMQP_PageOfAnotherOrigin_MayAsk(t *testing.T) {
	w := newWorld(t, func(o *farwire.Options) { o.Agents = exits{} })
	do := func(method string, body string, header http.Header) *http.Response {
		t.Helper()
		req, err := http.NewRequest(method, "http://gateway.test/amqp", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = header
		rec := httptest.NewRecorder()
		w.gw.AMQP().ServeHTTP(rec, req)
		return rec.Result()
	}
	resp := do("OPTIONS", "", http.Header{"Origin": {"https://app.example"}, "Access-Control-Request-Method": {"POST"},
		"Access-Control-Request-Headers": {"content-type,last-event-id,x-api-key"}})
	h := resp.Header
	if resp.StatusCode != 204 || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Methods") != "POST" ||
		h.Get("Access-Control-Allow-Headers") != "Authorization, Content-Type, Last-Event-ID, X-API-Key" || h.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("preflight: %s %v", resp.Status, h)
	}
	for _, body := range []string{subscription, "{}"} {
		resp = do("POST", body, http.Header{"Origin": {"https://app.example"}})
		if resp.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %s %v", body, resp.Status, resp.Header)
		}
	}
	if resp = do("GET", "", http.Header{}); resp.StatusCode != 405 || resp.Header.Get("Allow") != "POST" {
		t.Errorf("GET: %s %v", resp.Status, resp.Header)
	}
}

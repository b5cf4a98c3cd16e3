package agent

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"
)

// What a gateway and an agent say to each other
//
// The agent dials out, so that it works behind any NAT:
//
//	GET /agents/attach HTTP/1.1
//	Connection: Upgrade
//	Upgrade: farwire-agent
//	Authorization: Bearer TOKEN
//
// TOKEN is the shared secret of all agents, or the agent's own token. The
// gateway answers 101; then the connection is the tunnel. Where a proxy lets
// only WebSockets through, the agent asks for `Upgrade: websocket` with the
// subprotocol farwire-agent instead. The tunnel's bytes then travel in binary
// messages; where a message ends means nothing. A gateway that refuses gives
// the reason in the header Farwire-Refused, which also tells the agent that
// the gateway refused and not a proxy.
//
// Every message is a length of two bytes, big endian, and a JSON object of
// that length. JSON, because messages are few and short (one request and one
// answer for each session) and new fields must not break either side: unknown
// fields are ignored. Each kind of message has its limit on length (see
// Limits); a longer one ends the tunnel.
//
// First the agent sends a hello. The gateway answers with a welcome, which may
// be a refusal. Both carry the version of this protocol, 1. A gateway that
// does not speak the agent's version refuses and closes the link; other
// versions need to keep only the field `version`.
//
//	agent                                                     gateway
//	  | {"version":1,"instance":"6f…","slug":"de1","country":"DE"} |
//	  | ---------------------------------------------------------> |
//	  |  {"version":1,"gateway":"a0…","link":7,"id":"farwire-de1"} |
//	  | <--------------------------------------------------------- |
//	  |                                                            |
//	  | ======================= yamux ============================ |
//	  | stream 2, opened by the agent: control                     |
//	  | stream 1, 3, 5, … opened by the gateway: one a request     |
//
// Then yamux begins, with the gateway as its client. It is version 0, that of
// hashicorp/yamux and libp2p/go-yamux. It also checks liveness: both sides
// ping after 15 s of silence and give up when no answer comes within 10 s. The
// pings measure the round trip, too.
//
// A request opens a stream and is its first message:
//
//	{"op":"dial","network":"tcp","addr":"example.com:443","timeout_ms":9500}
//	{"op":"resolve","addr":"example.com","timeout_ms":5000}
//
// The agent confirms a stream (ACK) as soon as it arrives. A gateway that
// receives nothing at all for 6 s after a request tries another agent.
//
// `policy`, if present, narrows what the agent may dial for this request, and
// never widens it. So do `rules`, those of the caller, which may also list the
// only addresses that are allowed. An agent that enforces them says so in its
// hello (`"knows":["rules"]`); others are sent none. The answer is one message:
//
//	{"remote":"192.0.2.7:443","local":"10.0.0.5:39120"}        dialled
//	{"addrs":["192.0.2.7"]}                                    resolved
//	{"fault":"target","cause":"connection refused"}            whose fault, why
//	{"fault":"policy","cause":"private"}
//
// After a fault, or the answer to a resolve, the stream ends. After the answer
// to a dial it carries the connection's bytes. FIN is a half-close, in either
// direction, as in TCP. A reset by the gateway aborts the session, and the
// agent resets its connection to the target.
//
// The agent does not reset: that would discard what the gateway has not read
// yet, which TCP does not do to a reader that keeps up. When its target is
// lost (ends without a FIN), the agent sends `lost` on the control stream. It
// ends the data stream only when the gateway has answered `noted`: first all
// bytes arrive, then the error.
//
// Control messages, in both directions at any time:
//
//	agent:   {"type":"drain"}                  open no more sessions here, I stop
//	agent:   {"type":"drain","code":"moved"}   the same, but I serve on other links
//	either:  {"type":"leave"}                  close the link, no session is left
//	agent:   {"type":"lost","stream":7,"cause":"connection reset"}
//	gateway: {"type":"noted","stream":7}       the answer to it
//	gateway: {"type":"leaving","stream":7}     to another gateway: the agent drains
//	gateway: {"type":"abort","stream":7}       nobody reads this stream any more
//	gateway: {"type":"bye","code":"…","reason":"…"}  this link is about to end
//	gateway: {"type":"move"}                   link to another gateway, then drain this link
//
// An agent that drains one link but goes on serving gives a code, `moved` or
// `replaced`. When it stops meanwhile, or cuts what is left, it sends drain
// again without a code, so that the gateway can tell a session ended on
// purpose from one whose agent died.
//
// An agent keeps one link to each gateway. The welcome has the gateway's id:
// an agent that reaches one gateway at two addresses sees the same id twice
// and keeps the link with the higher number. A gateway with two links to one
// instance of an agent keeps the newer one, too. The hello lists the gateways
// that the agent is linked to (`links`). A gateway that finds itself there
// refuses with the code `duplicate`, so that trying a second address costs no
// sessions. `peers` in a welcome are URLs of further gateways to link to.

// wireVersion is the version of the protocol above.
const wireVersion = 1

// upgradeName is the protocol's name in Upgrade and Sec-WebSocket-Protocol.
const upgradeName = "farwire-agent"

// refusedHeader carries a gateway's reason for refusing an agent.
const refusedHeader = "Farwire-Refused"

// The most bytes that a message may have.
const (
	maxHello   = 4 << 10
	maxWelcome = 16 << 10
	maxRequest = 16 << 10
	maxAnswer  = 8 << 10
	maxControl = 1 << 10
)

// handshakeTimeout is how long each side waits for the other until the link
// stands, and an agent for a request at the head of a stream.
const handshakeTimeout = 10 * time.Second

// leaveTimeout is how long whoever has said leave waits for the other.
const leaveTimeout = 2 * time.Second

type hello struct {
	Version  int      `json:"version"`
	Instance string   `json:"instance"`
	Slug     string   `json:"slug"`
	Country  string   `json:"country"`
	Software string   `json:"software,omitempty"`
	Links    []string `json:"links,omitempty"`
	Yield    bool     `json:"yield,omitempty"`
	Knows    []string `json:"knows,omitempty"`
}

// knowsRules in a hello says that the agent enforces the rules of a request.
const knowsRules = "rules"

type welcome struct {
	Version int      `json:"version"`
	Gateway string   `json:"gateway,omitempty"`
	Link    uint64   `json:"link,omitempty"`
	ID      string   `json:"id,omitempty"`
	Slug    string   `json:"slug,omitempty"`
	Country string   `json:"country,omitempty"`
	Peers   []string `json:"peers,omitempty"`
	Cluster bool     `json:"cluster,omitempty"`

	// Refused is empty or says why the agent is not let in.
	Refused string `json:"refused,omitempty"`
	Code    string `json:"code,omitempty"`
}

// Codes of a refusing welcome, of a bye, and of an agent that drains one link.
const (
	codeVersion   = "version"   // the gateway does not speak the agent's version
	codeIdentity  = "identity"  // the agent may not be who it says
	codeDuplicate = "duplicate" // there is a link between the two already
	codeReplaced  = "replaced"  // a newer agent has taken this one's place
	codeMoved     = "moved"     // the agent has another link in place of this one
	codeShutdown  = "shutdown"  // the gateway is going away
)

type request struct {
	Op        string `json:"op"`
	Agent     string `json:"agent,omitempty"`
	Network   string `json:"network,omitempty"`
	Addr      string `json:"addr"`
	TimeoutMS int64  `json:"timeout_ms,omitempty"`
	Policy    *Rules `json:"policy,omitempty"`
	Rules     *Rules `json:"rules,omitempty"`
}

const (
	opDial    = "dial"
	opResolve = "resolve"
	opCall    = "call"
)

type answer struct {
	Remote string       `json:"remote,omitempty"`
	Local  string       `json:"local,omitempty"`
	Addrs  []netip.Addr `json:"addrs,omitempty"`
	Fault  string       `json:"fault,omitempty"`
	Cause  string       `json:"cause,omitempty"`
}

type control struct {
	Type   string `json:"type"`
	Stream uint32 `json:"stream,omitempty"`
	Cause  string `json:"cause,omitempty"`
	Code   string `json:"code,omitempty"`
	Reason string `json:"reason,omitempty"`
}

const (
	ctlDrain = "drain"
	ctlLeave = "leave"
	ctlLost  = "lost"
	ctlNoted = "noted"
	ctlAbort = "abort"
	ctlBye   = "bye"
	ctlMove  = "move"

	ctlLeaving = "leaving"
)

var errTooLong = errors.New("message too long")

// writeMessage writes m in one Write.
func writeMessage(w io.Writer, m any, limit int) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if len(body) > limit {
		return errTooLong
	}
	buf := append(binary.BigEndian.AppendUint16(nil, uint16(len(body))), body...)
	_, err = w.Write(buf)
	return err
}

// errMalformed is a message that is JSON, with something in it of another kind
// than it should be. What is as it should be has been read.
var errMalformed = errors.New("malformed message")

// readMessage reads one message into m and not a byte more.
func readMessage(r io.Reader, m any, limit int) error {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := int(binary.BigEndian.Uint16(head[:]))
	if n > limit {
		return errTooLong
	}
	body, err := io.ReadAll(io.LimitReader(r, int64(n))) // which holds no more than has come
	switch {
	case err != nil:
		return err
	case len(body) < n:
		return io.ErrUnexpectedEOF
	}
	err = json.Unmarshal(body, m)
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind):
		return fmt.Errorf("%w: %w", errMalformed, err)
	case err != nil:
		return fmt.Errorf("message is not JSON: %w", err)
	}
	return nil
}

// failure puts a failed dial or look-up on the wire: whose fault it was and
// one of a few phrases, but no address.
func failure(err error) answer {
	de := Classify(err)
	var r refusal
	if errors.As(err, &r) {
		return answer{Fault: FaultPolicy.String(), Cause: string(r.why)}
	}
	return answer{Fault: de.Fault.String(), Cause: string(causeOf(de.Err, de.Fault))}
}

// err is what failure was made of, as far as it crossed; nil for a success.
// Nothing of the agent's own wording is taken over.
func (a answer) err(host string) error {
	switch a.Fault {
	case "":
		return nil
	case FaultPolicy.String():
		return &DialError{FaultPolicy, refusal{host, refusedBecause(a.Cause)}}
	case FaultTarget.String():
		return &DialError{FaultTarget, knownCause(a.Cause, causeFailed)}
	}
	return &DialError{FaultAgent, knownCause(a.Cause, causeLost)}
}

func knownCause(s string, otherwise cause) cause {
	if slices.Contains(causes, cause(s)) {
		return cause(s)
	}
	return otherwise
}

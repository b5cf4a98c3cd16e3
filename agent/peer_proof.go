package agent

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// How two gateways prove to each other that they belong together
//
// Both hold a secret that neither sends. Each shows MACs of what only this
// connection has: two random numbers, the two names, and over TLS a value that both
// ends derive from the session (RFC 5705, RFC 9266), so that a MAC is worth nothing
// on another connection. The certificate may be anybody's: whoever stands between
// the two has another session with each.
//
//	caller                                                holder
//	  | GET /agents/attach, Upgrade: farwire-peer            |
//	  | Farwire-Peer, -Nonce, -Time, -Proof: MACs "ask"      |
//	  | ---------------------------------------------------> |  401: nothing was
//	  |        101, Farwire-Peer, -Nonce, -Proof: MAC "hold" |  opened or kept
//	  | <--------------------------------------------------- |
//	  | {"proof": MAC "call"}                                |
//	  | ---------------------------------------------------> |
//	  | ====================== yamux ======================= |
//
// The first proof keeps those without the secret from a connection that is taken over. It could
// be sent again by who reads a connection in clear; the last one could not.

const (
	peerUpgrade = "farwire-peer"
	peerHeader  = "Farwire-Peer"
	nonceHeader = "Farwire-Nonce"
	timeHeader  = "Farwire-Time"
	proofHeader = "Farwire-Proof"

	peerLabel = "farwire peer v1" // of the key that is derived from a secret

	// maxSkew is how far the clocks of two gateways may be apart.
	maxSkew = 30 * time.Second
	// maxProofs bounds what a client without the secret can make a gateway compute.
	maxProofs = 8
)

// A peerHello is what proofs are about.
type peerHello struct {
	caller, holder           string // names
	callerNonce, holderNonce string
	time                     string // of the caller, in milliseconds
	binding                  []byte // of the TLS session; none in clear
}

// peerKey derives the key of the proofs.
func peerKey(secret []byte) []byte {
	key, err := hkdf.Key(sha256.New, secret, nil, peerLabel, sha256.Size)
	if err != nil {
		panic(err) // only of a length that SHA-256 does not have
	}
	return key
}

// prove returns the MAC of a step, in hex.
func (h peerHello) prove(secret []byte, step string) string {
	mac := hmac.New(sha256.New, peerKey(secret))
	for _, s := range []string{step, h.caller, h.holder, h.callerNonce, h.holderNonce, h.time, string(h.binding)} {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(s)))) // no two inputs are written alike
		mac.Write([]byte(s))
	}
	return hex.EncodeToString(mac.Sum(nil))
}

// shared returns the first of the secrets by which one of the proofs was made.
func (h peerHello) shared(secrets [][]byte, step string, proofs []string) []byte {
	for _, secret := range secrets {
		own := []byte(h.prove(secret, step))
		for _, proof := range proofs[:min(len(proofs), maxProofs)] {
			if hmac.Equal(own, []byte(proof)) {
				return secret
			}
		}
	}
	return nil
}

func newNonce() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// bindingOf is a value that both ends of a TLS session have, and nobody else; nil
// for a connection in clear.
func bindingOf(s *tls.ConnectionState) ([]byte, error) {
	if s == nil {
		return nil, nil
	}
	return s.ExportKeyingMaterial("EXPORTER-farwire-peer", nil, 32)
}

// readPeerHello reads a caller's headers; it is not ok when they are not those of
// a gateway that has just asked.
func readPeerHello(r *http.Request) (h peerHello, proofs []string, ok bool) {
	h = peerHello{caller: r.Header.Get(peerHeader), callerNonce: r.Header.Get(nonceHeader), time: r.Header.Get(timeHeader)}
	said, err := strconv.ParseInt(h.time, 10, 64)
	if err != nil || h.caller == "" || len(h.caller) > 128 || len(h.callerNonce) != 64 {
		return h, nil, false
	}
	if skew := time.Since(time.UnixMilli(said)); skew > maxSkew || skew < -maxSkew {
		return h, nil, false
	}
	if h.binding, err = bindingOf(r.TLS); err != nil {
		return h, nil, false
	}
	return h, strings.Split(r.Header.Get(proofHeader), ","), true
}

type peerProof struct {
	Proof string `json:"proof"`
}

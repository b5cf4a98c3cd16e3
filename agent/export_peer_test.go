package agent

import (
	"net/http"
	"strconv"
	"time"
)

// AcceptsPeerHello tells whether a gateway reads the headers of another that asks at a time.
func AcceptsPeerHello(caller, nonce string, at time.Time) bool {
	h := http.Header{}
	h.Set(peerHeader, caller)
	h.Set(nonceHeader, nonce)
	h.Set(timeHeader, strconv.FormatInt(at.UnixMilli(), 10))
	_, _, ok := readPeerHello(&http.Request{Header: h})
	return ok
}

package agent

import (
	"net/http"
	"time"
)

// Transport returns a new transport for an [http.Client], whose connections leave
// through the exit: names are resolved there and every address passes its guard, that
// of a redirect included. The environment's proxies are not used. The caller may change
// the transport before its first use, and ends it with CloseIdleConnections. An Exit
// without DialContext, as the zero value is, dials from this process without a guard:
// take one from a selector.
//
// Such requests are not sessions: a gateway neither counts nor drains them. For
// those that are, use Gateway.Open in a transport of your own.
func (e Exit) Transport() *http.Transport {
	return &http.Transport{
		DialContext:           e.DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          100,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
}

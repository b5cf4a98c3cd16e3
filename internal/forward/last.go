package forward

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// secrets are what a TRACE does not repeat.
var secrets = []string{"Authorization", "Cookie", "Proxy-Authorization", "X-Api-Key"}

// IsLast reports whether an OPTIONS or a TRACE goes no further than here, and counts
// this hop where it does (RFC 9110, section 7.6.2).
func IsLast(method string, header http.Header) bool {
	if method != http.MethodOptions && method != http.MethodTrace {
		return false
	}
	hops, err := strconv.ParseUint(header.Get("Max-Forwards"), 10, 64)
	if err != nil {
		return false // none, or no number, which is ignored
	}
	if hops > 0 {
		header.Set("Max-Forwards", strconv.FormatUint(hops-1, 10))
	}
	return hops == 0
}

// AnswerAsLast answers such a request in place of its target: a TRACE with header, less
// the credentials in it (RFC 9110, section 9.3.8). It changes header, from which the
// caller has left out what proxies in front added.
func AnswerAsLast(w http.ResponseWriter, r *http.Request, header http.Header) {
	if r.Method == http.MethodOptions {
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
		return
	}
	w.Header().Set("Content-Type", "message/http")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	for _, name := range secrets {
		delete(header, name)
	}
	fmt.Fprintf(w, "TRACE %s HTTP/1.1\r\nHost: %s\r\n", r.RequestURI, r.Host)
	_ = header.Write(w) // a client that has gone needs no answer
	io.WriteString(w, "\r\n")
}

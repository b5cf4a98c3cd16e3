// Package request reads what clients ask for, before anybody knows who they are: the
// body or the message of each handler as a typed value, checked and with its
// defaults. What is wrong with a request is an error that names the field.
package request

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/jsonobject"
	"github.com/farwire/farwire/internal/opening"
)

// Fields are those of a request's JSON object.
type Fields struct{ *jsonobject.Object }

// Read reads the JSON object of a request.
func Read(b []byte) (*Fields, error) {
	o, err := jsonobject.Read(b)
	if err != nil {
		return nil, err
	}
	return &Fields{o}, nil
}

// Key reads the caller's key, under either of its names.
func (f *Fields) Key() string {
	if k := f.Text("apiKey", ""); k != "" {
		return k
	}
	return f.Text("key", "")
}

// Body reads a JSON body within the limits of size and time, which are those of a
// socket's first message. The end of ctx ends the wait, with its cause.
func Body(ctx context.Context, w http.ResponseWriter, r *http.Request) ([]byte, error) {
	rc := http.NewResponseController(w)
	// Also of a body that is refused: net/http wants the rest of it before it sends an
	// answer, or after. A writer without deadlines leaves the time to the server's own
	// limits.
	_ = rc.SetReadDeadline(time.Now().Add(opening.Timeout))
	if t := r.Header.Get("Content-Type"); t != "" {
		// Its parameters are not looked at: 64 KiB of them cost 31 ms.
		media, _, err := mime.ParseMediaType(firstPart(t))
		if err != nil || media != "application/json" && !strings.HasSuffix(media, "+json") {
			return nil, fault.Newf(fault.UnsupportedMedia, "the body must be JSON and say so; add the header Content-Type: application/json (it is %s)", fault.Clip(t))
		}
	}
	if err := CheckLength(w, r); err != nil {
		return nil, err
	}
	if r.Header.Get("Content-Encoding") != "" {
		return nil, fault.New(fault.UnsupportedMedia, "the body must come without a Content-Encoding")
	}
	set := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(set)
		_ = rc.SetReadDeadline(time.Unix(1, 0)) // likewise
	})
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, opening.Limit))
	if !stop() {
		<-set // it must not use a writer whose handler has returned
		return nil, context.Cause(ctx)
	}
	var large *http.MaxBytesError
	switch {
	case err == nil:
		_ = rc.SetReadDeadline(time.Time{})
		return body, nil
	// Otherwise the deadline stands.
	case errors.As(err, &large) && large.Limit < opening.Limit: // a middleware's
		return nil, fault.Newf(fault.TooLarge, "the body is larger than the %d bytes that this server allows", large.Limit)
	case errors.As(err, &large):
		return nil, fault.New(fault.TooLarge, "the body is larger than 64 KiB")
	case fault.IsTimeout(err):
		return nil, fault.Invalidf("the body did not come within %v", opening.Timeout)
	}
	return nil, fault.Invalidf("the body could not be read")
}

// CheckLength refuses a body that announces more than the limit.
func CheckLength(w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength <= opening.Limit {
		return nil
	}
	// Else net/http waits for the body before it answers.
	w.Header().Set("Connection", "close")
	return fault.New(fault.TooLarge, "the body is larger than 64 KiB")
}

// firstPart is what stands before the first semicolon.
func firstPart(s string) string {
	before, _, _ := strings.Cut(s, ";")
	return before
}

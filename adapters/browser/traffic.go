package browser

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
)

// traffic decides which requests a tab may make, and knows which are under way.
// Its listener runs where the wire is read, so what must be answered is put
// down there and answered by a goroutine.
type traffic struct {
	t           *tab
	fail        context.CancelCauseFunc
	wake        chan struct{} // has room for one
	stopped     chan struct{}
	wg          sync.WaitGroup
	unsubscribe func()

	mu        sync.Mutex
	answers   []func(context.Context) error // to be sent
	running   map[string]time.Time          // requests under way, and since when
	total     int
	last      time.Time // of any change of running
	elsewhere string    // where the page wanted to go
}

const (
	// A page that has made this many requests is shown no longer.
	maxRequests = 1000

	// A request that takes longer is waited for by nobody: a long poll, a
	// stream.
	maxFlight = 5 * time.Second
)

// unwanted are the kinds of resources that add no words to a page.
var unwanted = map[network.ResourceType]bool{
	network.ResourceTypeImage: true, network.ResourceTypeMedia: true, network.ResourceTypeFont: true,
	network.ResourceTypeTextTrack: true, network.ResourceTypePing: true, network.ResourceTypeManifest: true,
	network.ResourceTypePrefetch: true, network.ResourceTypeCSPViolationReport: true, network.ResourceTypeSignedExchange: true,
}

func newTraffic(t *tab, fail context.CancelCauseFunc) *traffic {
	return &traffic{t: t, fail: fail, wake: make(chan struct{}, 1), stopped: make(chan struct{}),
		running: map[string]time.Time{}, last: time.Now()}
}

// start begins to listen and to answer, until stop.
func (s *traffic) start(ctx context.Context) {
	s.unsubscribe = s.t.listen(s.handle)
	ctx = context.WithoutCancel(ctx) // it ends with stop, or with the wire
	s.wg.Go(func() {
		for {
			select {
			case <-s.wake:
			case <-s.stopped:
				return
			case <-s.t.wire.lost:
				return
			}
			s.mu.Lock()
			answers := s.answers
			s.answers = nil
			s.mu.Unlock()
			for _, answer := range answers {
				if answer(ctx) != nil {
					return // the wire is lost
				}
			}
		}
	})
}

func (s *traffic) stop() {
	s.unsubscribe()
	close(s.stopped)
	s.wg.Wait()
}

// handle takes an event of the tab's.
func (s *traffic) handle(method string, params json.RawMessage) {
	var e struct {
		RequestID string               `json:"requestId"`
		FrameID   cdp.FrameID          `json:"frameId"`
		Type      network.ResourceType `json:"type"`
		Resource  network.ResourceType `json:"resourceType"`
		Request   struct {
			URL     string            `json:"url"`
			Headers map[string]string `json:"headers"`
		} `json:"request"`
		AuthChallenge struct {
			Source string `json:"source"`
		} `json:"authChallenge"`
	}
	decode := func() bool { return json.Unmarshal(params, &e) == nil }
	switch method {
	case "Fetch.requestPaused":
		if decode() {
			if ahead(e.Request.Headers) {
				e.Resource = network.ResourceTypePrefetch
			}
			s.judge(fetch.RequestID(e.RequestID), e.Resource, e.FrameID, e.Request.URL)
		}
	case "Fetch.authRequired":
		if decode() {
			s.authenticate(fetch.RequestID(e.RequestID), e.AuthChallenge.Source)
		}
	case "Network.requestWillBeSent":
		// An event stream never ends: the page does not wait for it.
		if decode() && e.Type != network.ResourceTypeEventSource {
			s.requestBegan(e.RequestID)
		}
	case "Network.loadingFinished", "Network.loadingFailed":
		if decode() {
			s.requestEnded(e.RequestID)
		}
	case "Page.javascriptDialogOpening":
		var d struct {
			Type page.DialogType `json:"type"`
		}
		if json.Unmarshal(params, &d) == nil {
			// To stay or to leave: the page that asks wanted to leave.
			leave := d.Type == page.DialogTypeBeforeunload
			s.answer(func(ctx context.Context) error {
				return tell(ctx, s.t.session, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: leave})
			})
		}
	case "Inspector.targetCrashed":
		s.fail(errCrashed)
	case "Inspector.detached":
		s.fail(&pageError{"the page closed its tab", nil})
	}
}

// ahead reports whether a request is made in case that the visitor goes on to
// another page (Fetch Standard, section 3.9).
func ahead(headers map[string]string) bool {
	return strings.HasPrefix(headers["Sec-Purpose"], "prefetch") || headers["Purpose"] == "prefetch"
}

func (s *traffic) answer(f func(context.Context) error) {
	s.mu.Lock()
	s.answers = append(s.answers, f)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// judge lets a request pass or fail.
func (s *traffic) judge(id fetch.RequestID, kind network.ResourceType, frame cdp.FrameID, address string) {
	s.mu.Lock()
	s.total++
	over := s.total > maxRequests
	reason := s.refuse(kind, frame, address)
	s.mu.Unlock()
	if over {
		s.fail(errTooManyRequests)
		return // it waits until its tab ends
	}
	s.answer(func(ctx context.Context) error {
		if reason == "" {
			return tell(ctx, s.t.session, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: id})
		}
		return tell(ctx, s.t.session, fetch.FailRequest, fetch.FailRequestParams{RequestID: id, ErrorReason: reason})
	})
}

// refuse returns with which error a request fails; empty: it passes. The
// caller holds mu.
func (s *traffic) refuse(kind network.ResourceType, frame cdp.FrameID, address string) network.ErrorReason {
	u, err := url.Parse(address)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https":
		return network.ErrorReasonBlockedByClient
	case unwanted[kind]:
		return network.ErrorReasonBlockedByClient
	case kind == network.ResourceTypeDocument && frame != s.t.frame:
		return network.ErrorReasonBlockedByClient // a frame, whose words are another page's
	case kind == network.ResourceTypeDocument && !sameSite(u.Hostname(), s.t.url.Hostname()):
		s.elsewhere = (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
		return network.ErrorReasonAborted // and the page stays
	}
	return ""
}

// authenticate answers the proxy's question for a password, and no other's.
func (s *traffic) authenticate(id fetch.RequestID, source string) {
	response := &fetch.AuthChallengeResponse{Response: fetch.AuthChallengeResponseResponseCancelAuth}
	if source == string(fetch.AuthChallengeSourceProxy) && s.t.way != nil {
		response = &fetch.AuthChallengeResponse{Response: fetch.AuthChallengeResponseResponseProvideCredentials,
			Username: s.t.way.user, Password: s.t.way.password}
	}
	s.answer(func(ctx context.Context) error {
		return tell(ctx, s.t.session, fetch.ContinueWithAuth, fetch.ContinueWithAuthParams{RequestID: id, AuthChallengeResponse: response})
	})
}

func (s *traffic) requestBegan(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = time.Now()
	if len(s.running) < maxRequests {
		s.running[id] = s.last
	}
}

func (s *traffic) requestEnded(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = time.Now()
	delete(s.running, id)
}

// quiet returns for how long no request has been under way, long ones left
// aside.
func (s *traffic) quiet() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, since := range s.running {
		if time.Since(since) < maxFlight {
			return 0
		}
	}
	return time.Since(s.last)
}

// left returns the origin that the page wanted to leave for; empty: none.
func (s *traffic) left() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.elsewhere
}

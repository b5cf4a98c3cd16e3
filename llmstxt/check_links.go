package llmstxt

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/llmstxt/internal/credentials"
	"github.com/farwire/farwire/llmstxt/internal/httphead"
	"github.com/farwire/farwire/llmstxt/internal/pace"
)

// Asking whether the links of a file answer, as a crawl asks for its pages: a site whose
// pages a crawl has all read must not seem to have lost some because it is asked faster.

// A CheckedLink is a link that was asked for.
type CheckedLink struct {
	Link
	Status int `json:"status"` // of the answer, redirects followed; 0: there was none
}

// CheckLinks requests the links that Check has found, each address once. It
// returns all of them with the status of their answer, and a problem for each
// without an answer or with a status of 400 or more. Links that are not http or
// https URLs are left out: Check has named them.
//
// It keeps the pace of Crawl: a 429 or 503 slows the requests to that host,
// `Retry-After` is obeyed, and the link is requested again. A host that keeps
// refusing is given up. Hosts do not wait for each other. The first request for
// a link is HEAD; if its answer is an error, a GET follows.
//
// Of Options it uses Client, UserAgent, Workers (of one host), Delay,
// PageTimeout, MaxRedirects, Retries and Owner; it does not read robots.txt.
// When ctx ends it returns the context's cause. When it returns, none of its
// goroutines and requests is left.
func CheckLinks(ctx context.Context, links []Link, o Options) (checked []CheckedLink, problems []Problem, err error) {
	o, err = o.withDefaults()
	if err != nil {
		return nil, nil, err
	}
	client := *o.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	l := &linkChecker{Options: o, client: &client, owner: o.Owner, hosts: map[string]*checkedHost{}}
	if o.Owner == "" {
		l.owner = l
	}
	answers := l.askAll(ctx, links)
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	checked = make([]CheckedLink, len(links))
	for i, link := range links {
		checked[i].Link = link
		a := answers[link.URL]
		if a == nil {
			continue
		}
		checked[i].Status = a.status
		switch {
		case a.err != nil:
			problems = append(problems, Problem{link.Line, link.URL + " does not answer: " + shortReason(a.err)})
		case a.status >= 400:
			problems = append(problems, Problem{link.Line, fmt.Sprintf("%s answers %s", link.URL, statusText(a.status))})
		}
	}
	return checked, problems, nil
}

// shortReason says why there is no answer, without the address.
func shortReason(err error) string {
	if known := fault.Of(err); known != nil {
		return known.Short()
	}
	return detail(err)
}

// hostsAtOnce is how many hosts are asked at the same time.
const hostsAtOnce = 16

type linkChecker struct {
	Options
	client *http.Client
	owner  any

	mu    sync.Mutex
	hosts map[string]*checkedHost
}

// checkedHost is what is known of a host, whatever its links' schemes.
type checkedHost struct {
	pace        *pace.Pacer
	slots       chan struct{} // one for each request under way
	refusesHead atomic.Bool   // it answers GET alone
}

// linkAnswer is written by whoever asks for the link.
type linkAnswer struct {
	u      *url.URL
	status int
	err    error
}

// askAll returns the answers by URL. Each host has workers of its own.
func (l *linkChecker) askAll(ctx context.Context, links []Link) map[string]*linkAnswer {
	answers := map[string]*linkAnswer{}
	byHost := map[string][]*linkAnswer{}
	var order []string
	for _, link := range links {
		u, err := url.Parse(link.URL)
		if answers[link.URL] != nil || err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			continue
		}
		a := &linkAnswer{u: u}
		answers[link.URL] = a
		host := hostOf(u)
		if byHost[host] == nil {
			order = append(order, host)
		}
		byHost[host] = append(byHost[host], a)
	}
	inTurns(hostsAtOnce, order, func(host string) {
		inTurns(l.Workers, byHost[host], func(a *linkAnswer) {
			if ctx.Err() == nil {
				a.status, a.err = l.ask(ctx, a.u)
			}
		})
	})
	return answers
}

// inTurns calls f with each of all, n at the same time.
func inTurns[T any](n int, all []T, f func(T)) {
	queue := make(chan T, len(all))
	for _, one := range all {
		queue <- one
	}
	close(queue)
	var workers tasks
	for range min(n, len(all)) {
		workers.Go(func() {
			for one := range queue {
				f(one)
			}
		})
	}
	workers.Wait()
}

func hostOf(u *url.URL) string { return strings.ToLower(u.Host) }

// at returns a host, and a crawl that asks at its pace.
func (l *linkChecker) at(u *url.URL) (*checkedHost, *crawler) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.hosts[hostOf(u)]
	if h == nil {
		h = &checkedHost{pace: pace.New(l.Delay), slots: make(chan struct{}, l.Workers)}
		l.hosts[hostOf(u)] = h
	}
	return h, &crawler{Options: l.Options, client: l.client, owner: l.owner, pace: h.pace, slots: h.slots}
}

// ask follows a link to its answer.
func (l *linkChecker) ask(ctx context.Context, u *url.URL) (status int, err error) {
	var cookies credentials.Jars // that are insisted on along the way
	for hop := 0; ; hop++ {
		status, next, err := l.try(ctx, u, &cookies)
		switch {
		case err != nil:
			return 0, baseError(u, 0, err)
		case next == nil:
			return status, nil
		case hop >= l.MaxRedirects:
			return 0, &skipError{Reason: SkipError, Detail: fmt.Sprintf("more than %d redirects", l.MaxRedirects)}
		}
		u = next
	}
}

// try asks for one address until there is an answer worth having, and returns where that
// leads; nil: nowhere.
func (l *linkChecker) try(ctx context.Context, u *url.URL, cookies *credentials.Jars) (status int, next *url.URL, err error) {
	host, c := l.at(u)
	if c.pace.GaveUp() {
		return 0, nil, &skipError{Reason: SkipStatus, Detail: "the site refuses every request", lost: true}
	}
	q := c.pace.Request()
	head := !host.refusesHead.Load()
	for n := 0; ; n++ {
		var again retry
		status, next, again, err = c.askForLink(ctx, u, q, head, cookies)
		if head && err == nil && status >= 400 && !again.rateLimited && ctx.Err() == nil {
			// There are servers that know no HEAD, and say so in many ways.
			status, next, again, err = c.askForLink(ctx, u, q, false, cookies)
			if err == nil && status < 400 {
				host.refusesHead.Store(true)
			}
		}
		head = false
		if ctx.Err() != nil || !c.again(ctx, n, q, again) {
			return status, next, err
		}
	}
}

// askForLink sends one request and reads the head of its answer.
func (c *crawler) askForLink(ctx context.Context, u *url.URL, q *pace.Request, head bool, cookies *credentials.Jars) (status int, next *url.URL, again retry, err error) {
	if err := q.Wait(ctx); err != nil {
		return 0, nil, retry{}, err
	}
	a := &transfer{crawler: c, outer: ctx, head: head}
	defer a.close()
	if err := a.ask(u, nil, *cookies); err != nil {
		return 0, nil, retry{again: !permanent(err) && !a.drips(err)}, err
	}
	status = a.resp.StatusCode
	if httphead.IsHaste(a.resp) {
		return status, nil, retry{again: true, rateLimited: true, after: httphead.RetryAfter(a.resp.Header.Get("Retry-After"))}, nil
	}
	c.pace.Answered()
	to := a.resp.Header.Get("Location")
	if status < 300 || status >= 400 || to == "" {
		return status, nil, retry{again: httphead.MayPass(status)}, nil
	}
	cookies.Keep(u, a.resp.Header.Values("Set-Cookie"))
	if next, err = leadsTo(u, to); err == nil && next == nil {
		err = notWeb
	}
	return status, next, retry{}, err
}

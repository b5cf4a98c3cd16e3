package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/s3"
	"github.com/farwire/farwire/internal/harness"
)

// mustExplain checks the text of an error, which must hold no secret.
func mustExplain(t *testing.T, err error, o s3.Options, want string) {
	t.Helper()
	if err == nil {
		t.Errorf("all is well, want %s", want)
		return
	}
	for want := range strings.SplitSeq(want, "|") {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if strings.Contains(err.Error(), o.SecretKey) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%q gives the secret away or is longer than a line", err)
	}
}

func TestCheck_EachFault_NamesTheOption(t *testing.T) {
	server := harness.S3(t)
	if err := newStorage(t, options(server)).Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := newStorage(t, options(server)).Check(t.Context()); err != nil {
		t.Errorf("a second check: %v", err)
	}
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	for _, c := range []struct {
		name   string
		change func(*s3.Options)
		away   bool
		want   string
	}{
		{"access key", func(o *s3.Options) { o.AccessKey = "nobody" }, false, "Options.AccessKey|does not know it"},
		{"secret key", func(o *s3.Options) { o.SecretKey = "another-secret-key" }, false, "Options.SecretKey|not the access key's|403"},
		{"bucket", func(o *s3.Options) { o.Bucket = "nowhere" }, false, "Options.Bucket|no such bucket|nowhere"},
		{"region", func(o *s3.Options) { o.Region = "mars-1" }, false, "Options.Region"},
		{"TLS towards a server without TLS", func(o *s3.Options) { o.Endpoint = strings.Replace(o.Endpoint, "http:", "https:", 1) }, false, "Options.Endpoint|does not speak TLS|http://"},
		{"no TLS towards a server with TLS", func(o *s3.Options) { o.Endpoint = strings.Replace(secure.URL, "https:", "http:", 1) }, false, "Options.Endpoint|https://|400"},
		{"an untrusted certificate", func(o *s3.Options) { o.Endpoint = secure.URL }, false, "Options.Endpoint|certificate|trust"},
		{"a web server", func(o *s3.Options) { o.Endpoint = web.URL }, false, "Options.Endpoint|404"},
		{"nobody", func(o *s3.Options) { o.Endpoint = "http://" + harness.FreeAddr(t) }, true, "cannot be reached|refused"},
		{"no host", func(o *s3.Options) { o.Endpoint = "http://name.invalid" }, true, "cannot be reached|name.invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options(server)
			c.change(&o)
			s := newStorage(t, o)
			err := s.Check(t.Context())
			mustExplain(t, err, o, c.want)
			if errors.Is(err, s3.ErrUnreachable) != c.away {
				t.Errorf("%v: may be back later: %v", err, !c.away)
			}
			if c.away {
				return // Save would try for a while
			}
			if _, err := s.Save(t.Context(), farwire.File{Name: "a.txt", Body: []byte("x")}); err == nil {
				t.Error("saved all the same")
			}
		})
	}
}

// A plain server keeps objects and looks at nothing else.
type plain struct {
	mu      sync.Mutex
	objects map[string]http.Header
	forgets bool // the metadata
	unknown bool // refuses conditions as not implemented
	parts   bool // honours conditions on PutObject alone
}

func (p *plain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	there, ok := p.objects[r.URL.Path]
	condition := r.Header.Get("If-Match") + r.Header.Get("If-None-Match")
	switch {
	case r.Method == http.MethodHead && ok:
		w.Header().Set("ETag", `"`+there.Get("X-Amz-Meta-Farwire-Etag")+`"`)
		w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
		for name := range there {
			if strings.HasPrefix(name, "X-Amz-Meta-") && !p.forgets {
				w.Header().Set(name, there.Get(name))
			}
		}
	case r.Method == http.MethodHead:
		w.WriteHeader(http.StatusNotFound)
	case p.unknown && condition != "" && ok:
		w.WriteHeader(http.StatusNotImplemented)
	case p.parts && r.Method == http.MethodPut && condition != "" && ok:
		w.WriteHeader(http.StatusPreconditionFailed)
	case r.Method == http.MethodPut:
		w.Header().Set("ETag", `"`+r.Header.Get("X-Amz-Meta-Farwire-Etag")+`"`)
		p.objects[r.URL.Path] = r.Header
	case r.Method == http.MethodPost && r.URL.Query().Has("uploads"):
		fmt.Fprint(w, `<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>`)
	case r.Method == http.MethodPost:
		fmt.Fprint(w, `<CompleteMultipartUploadResult><Bucket>files</Bucket><ETag>"1-1"</ETag></CompleteMultipartUploadResult>`)
	case r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	}
}

func TestCheck_UnfitServer_Fails(t *testing.T) {
	for _, c := range []struct {
		name, want string
		server     *plain
	}{
		{"no conditions", "does not honour If-None-Match: *|PutObject", &plain{}},
		{"no such header", "does not honour If-None-Match: *|PutObject", &plain{unknown: true}},
		{"no conditions on uploads in parts", "does not honour If-Match|CompleteMultipartUpload", &plain{parts: true}},
		{"no metadata", "metadata", &plain{forgets: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.server.objects = make(map[string]http.Header)
			server := httptest.NewServer(c.server)
			defer server.Close()
			o := s3.Options{Endpoint: server.URL, Bucket: "files", AccessKey: "a", SecretKey: "very-secret"}
			s := newStorage(t, o)
			err := s.Check(t.Context())
			mustExplain(t, err, o, c.want)
			if errors.Is(err, s3.ErrUnreachable) {
				t.Errorf("%v: as if it were away", err)
			}
			if _, err := s.Save(t.Context(), farwire.File{Name: "a.txt", Body: []byte("x"), Version: 1}); err == nil {
				t.Error("saved all the same")
			}
			if _, ok := c.server.objects["/files/a.txt"]; ok {
				t.Error("it is there")
			}
		})
	}
}

// A server that repeats what was signed does not put the secret into an error.
func TestErrors_ServerRepeatsTheSignature_HoldNoSecret(t *testing.T) {
	o := s3.Options{Bucket: "files", AccessKey: "an-access-key", SecretKey: "very-secret-indeed"}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "<Error><Code>Odd</Code><Message>your secret\nis %s%s</Message></Error>", o.SecretKey, strings.Repeat(" again", 1000))
	}))
	defer server.Close()
	o.Endpoint = server.URL
	err := newStorage(t, o).Check(t.Context())
	mustExplain(t, err, o, "418 Odd|your secret is …")
	if len(err.Error()) > 600 {
		t.Errorf("%d bytes", len(err.Error()))
	}
}

// Wherever the line is cut, within the secret or within a letter, no part of either
// stays.
func TestErrors_CutAcrossTheSecret_HoldNoPart(t *testing.T) {
	o := s3.Options{Bucket: "files", AccessKey: "an-access-key", SecretKey: "very-secret-indeed"}
	before := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "<Error><Code>Odd</Code><Message>%s%s%s</Message></Error>",
			strings.Repeat(".", before), o.SecretKey, strings.Repeat("ü", 200))
	}))
	defer server.Close()
	o.Endpoint = server.URL
	storage := newStorage(t, o)
	for before = 160; before <= 210; before++ {
		err := storage.Check(t.Context())
		mustExplain(t, err, o, "418 Odd|…")
		if strings.Contains(err.Error(), ".v") || !utf8.ValidString(err.Error()) {
			t.Errorf("after %d bytes: %q", before, err)
		}
	}
}

// within asserts that f ends in its time, with what a busy machine may add.
func within(t *testing.T, d time.Duration, f func()) {
	t.Helper()
	start := time.Now()
	f()
	if took := time.Since(start); took > d+10*time.Second {
		t.Errorf("it took %v, want %v", took, d)
	}
}

func TestSave_ServerUnavailable_FailsInTime(t *testing.T) {
	server := harness.S3(t)
	o := options(server)
	o.Timeout = 2 * time.Second
	s, r := newStorage(t, o), newReader(t, server)
	version := uint64(1)
	mustSave(t, s, farwire.File{Name: "a.txt", Body: []byte("1"), Version: version})
	for _, c := range []struct {
		name       string
		away, back func()
	}{
		{"stopped", server.Stop, server.Start},
		{"killed", server.Kill, server.Start},
		{"frozen", server.Freeze, server.Thaw},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.away()
			file := farwire.File{Name: "a.txt", Body: fmt.Append(nil, version), Version: version}
			within(t, o.Timeout, func() {
				if _, err := s.Save(t.Context(), file); !errors.Is(err, s3.ErrUnreachable) || strings.Contains(err.Error(), o.SecretKey) {
					t.Errorf("got %v", err)
				}
			})
			within(t, time.Second, func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if _, err := s.Save(ctx, file); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
			})
			gone, leave := context.WithCancelCause(t.Context())
			left := errors.New("the client left")
			leave(left)
			if _, err := s.Save(gone, file); !errors.Is(err, left) {
				t.Errorf("got %v", err)
			}
			c.back()
			version++
			file.Version, file.Body = version, fmt.Append(nil, version)
			o := o
			o.Timeout = harness.Timeout
			mustSave(t, newStorage(t, o), file)
			if body, _ := r.get("a.txt"); body != string(file.Body) {
				t.Errorf("there is %q", body)
			}
			version++
			file.Version, file.Body = version, fmt.Append(nil, version)
			// It has two seconds, which may be short on a busy machine.
			for late := time.Now().Add(harness.Timeout); ; {
				_, err := s.Save(t.Context(), file)
				if err == nil {
					return
				}
				if !errors.Is(err, s3.ErrUnreachable) || time.Now().After(late) {
					t.Fatal(err)
				}
			}
		})
	}
}

// A server that stumbles for a moment is asked again, and one that goes on
// stumbling is given up.
func TestSave_ServerFailsForAMoment_TriesAgain(t *testing.T) {
	server := harness.S3(t)
	m := newMiddle(t, server)
	s, r := m.through(t, server), newReader(t, server)
	var stumbles atomic.Int32
	handler := m.Config.Handler
	m.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch n := stumbles.Add(-1); {
		case n < 0:
			handler.ServeHTTP(w, req)
		case n%2 == 0:
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			w.WriteHeader(http.StatusTooManyRequests)
		}
	})
	stumbles.Store(2)
	mustSave(t, s, farwire.File{Name: "a.txt", Body: []byte("one"), Version: 1})
	if body, _ := r.get("a.txt"); body != "one" {
		t.Errorf("there is %q", body)
	}
	stumbles.Store(1000)
	if _, err := s.Save(t.Context(), farwire.File{Name: "a.txt", Body: []byte("two"), Version: 2}); !errors.Is(err, s3.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
	if asked := 1000 - stumbles.Load(); asked > 20 {
		t.Errorf("it was asked %d times", asked)
	}
}

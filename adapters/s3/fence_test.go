package s3_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/s3"
	"github.com/farwire/farwire/internal/harness"
)

// Writers of one file, each with a storage of its own as processes have, come
// with versions in no order. Who comes after a newer one has succeeded is
// refused, readers see versions grow, and the newest is there in the end. Every
// other version brings the bytes of the one before.
func TestSave_ManyWriters_NewestVersionStays(t *testing.T) {
	const writers, versions = 6, 72
	server := harness.S3(t)
	r := newReader(t, server)
	content := func(version uint64) string {
		return strings.Repeat(fmt.Sprintf("%d\n", version/2), 1000)
	}
	mustSave(t, newStorage(t, options(server)), farwire.File{Name: "a.txt", Body: []byte(content(1)), Version: 1})
	queue := make(chan uint64, versions)
	for _, i := range rand.Perm(versions) {
		queue <- uint64(i + 1)
	}
	close(queue)
	var newest atomic.Uint64 // of those that have succeeded
	var wg sync.WaitGroup
	writing, written := context.WithCancel(context.Background())
	wg.Go(func() {
		last := 0
		for writing.Err() == nil {
			body, info := r.get("a.txt")
			var version int
			if _, err := fmt.Sscan(info.Metadata.Get("X-Amz-Meta-Farwire-Version"), &version); err != nil {
				t.Errorf("a version: %v", err)
			}
			if body != content(uint64(version)) {
				t.Errorf("version %d holds %.20q", version, body)
			}
			if version < last {
				t.Errorf("version %d after %d", version, last)
			}
			last = version
		}
	})
	var savers sync.WaitGroup
	for range writers {
		s := newStorage(t, options(server))
		savers.Go(func() {
			for version := range queue {
				before := newest.Load()
				_, err := s.Save(t.Context(), farwire.File{Name: "a.txt", Body: []byte(content(version)), Version: version})
				stale := errors.Is(err, farwire.ErrStale)
				switch {
				case err != nil && !stale:
					t.Errorf("version %d: %v", version, err)
				case version < before && !stale:
					t.Errorf("version %d was saved after %d", version, before)
				case !stale:
					for old := newest.Load(); old < version && !newest.CompareAndSwap(old, version); old = newest.Load() {
					}
				}
			}
		})
	}
	savers.Wait()
	written()
	wg.Wait()
	if body, _ := r.get("a.txt"); body != content(versions) || r.version("a.txt") != fmt.Sprint(versions) {
		t.Errorf("in the end there is version %s, %.20q", r.version("a.txt"), body)
	}
}

// A middle passes requests on to a server. What is in its way decides what the
// client hears of a write.
type middle struct {
	*httptest.Server
	writes atomic.Int32             // PutObject and CompleteMultipartUpload
	lose   func(*http.Request) bool // whether the answer is lost; nil: never
	age    time.Duration            // how much older objects look than they are
}

func newMiddle(t *testing.T, server *harness.S3Server) *middle {
	upstream, err := url.Parse(server.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(upstream); r.Out.Host = r.In.Host }, // which is signed
	}
	m := &middle{}
	proxy.ModifyResponse = func(r *http.Response) error {
		if at, err := http.ParseTime(r.Header.Get("Last-Modified")); err == nil {
			r.Header.Set("Last-Modified", at.Add(-m.age).UTC().Format(http.TimeFormat))
		}
		return nil
	}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		write := r.Method == http.MethodPut && !r.URL.Query().Has("uploadId") || r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
		if !write {
			proxy.ServeHTTP(w, r)
			return
		}
		m.writes.Add(1)
		if m.lose == nil || !m.lose(r) {
			proxy.ServeHTTP(w, r)
			return
		}
		proxy.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler) // which cuts the connection
	}))
	t.Cleanup(m.Close)
	return m
}

// through is a storage behind the middle, checked already.
func (m *middle) through(t *testing.T, server *harness.S3Server) *s3.Storage {
	t.Helper()
	o := options(server)
	o.Endpoint = m.URL
	s := newStorage(t, o)
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.writes.Store(0)
	return s
}

// A write whose answer is lost is known again: it is neither refused by its own
// version nor done twice.
func TestSave_AnswerLost_IsRecognised(t *testing.T) {
	server := harness.S3(t)
	m := newMiddle(t, server)
	s, r := m.through(t, server), newReader(t, server)
	for _, c := range []struct {
		name    string
		text    string
		version uint64
	}{
		{"a first", "one", 1},
		{"a replacement", "two", 2},
		{"the same bytes", "two", 3}, // a multipart upload
		{"without a version", "three", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var lost atomic.Bool
			m.lose = func(*http.Request) bool { return lost.CompareAndSwap(false, true) }
			m.writes.Store(0)
			mustSave(t, s, farwire.File{Name: "a.txt", Body: []byte(c.text), Version: c.version})
			if n := m.writes.Load(); n != 1 || !lost.Load() {
				t.Errorf("it was written %d times", n)
			}
			if body, _ := r.get("a.txt"); body != c.text {
				t.Errorf("there is %q", body)
			}
		})
	}
	m.lose = nil
	mustSave(t, s, farwire.File{Name: "a.txt", Body: []byte("four"), Version: 4})
}

// A write whose answer is lost and that a newer one has replaced since is stale.
func TestSave_AnswerLostAndReplaced_IsStale(t *testing.T) {
	server := harness.S3(t)
	m := newMiddle(t, server)
	s, r := m.through(t, server), newReader(t, server)
	newer := newStorage(t, options(server))
	var lost atomic.Bool
	m.lose = func(*http.Request) bool { return lost.CompareAndSwap(false, true) }
	// The look that follows the lost answer waits for the newer file.
	handler := m.Config.Handler
	m.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if lost.Load() && req.Method == http.MethodHead {
			if _, err := newer.Save(req.Context(), farwire.File{Name: "a.txt", Body: []byte("newer"), Version: 9}); err != nil {
				t.Error(err)
			}
		}
		handler.ServeHTTP(w, req)
	})
	if _, err := s.Save(t.Context(), farwire.File{Name: "a.txt", Body: []byte("older"), Version: 5}); !errors.Is(err, farwire.ErrStale) {
		t.Errorf("got %v", err)
	}
	if body, _ := r.get("a.txt"); body != "newer" {
		t.Errorf("there is %q", body)
	}
}

// A worker that read an old state and was then held up finds its write refused,
// even when the newer file has the same bytes as the old one.
func TestSave_WriterDelayed_IsRefused(t *testing.T) {
	server := harness.S3(t)
	for _, text := range []string{"the old bytes", "new bytes"} {
		t.Run(text, func(t *testing.T) {
			m := newMiddle(t, server)
			r, other := newReader(t, server), newStorage(t, options(server))
			name := strings.ReplaceAll(text, " ", "-")
			mustSave(t, other, farwire.File{Name: name, Body: []byte("the old bytes"), Version: 3})
			s := m.through(t, server)
			var once sync.Once
			m.lose = func(req *http.Request) bool {
				once.Do(func() { // between its look and its write
					if _, err := other.Save(req.Context(), farwire.File{Name: name, Body: []byte(text), Version: 7}); err != nil {
						t.Error(err)
					}
				})
				return false
			}
			if _, err := s.Save(t.Context(), farwire.File{Name: name, Body: []byte("stale bytes"), Version: 5}); !errors.Is(err, farwire.ErrStale) {
				t.Errorf("got %v", err)
			}
			if body, _ := r.get(name); body != text || r.version(name) != "7" {
				t.Errorf("there is version %s, %q", r.version(name), body)
			}
		})
	}
}

// A look that shows the metadata of one object with the ETag of the next is not
// believed: the newer one stays.
func TestSave_ObjectChangesBetweenReads_IsNoticed(t *testing.T) {
	server := harness.S3(t)
	m := newMiddle(t, server)
	r, other := newReader(t, server), newStorage(t, options(server))
	mustSave(t, other, farwire.File{Name: "a.txt", Body: []byte("old"), Version: 3})
	s := m.through(t, server)
	var torn atomic.Bool
	handler := m.Config.Handler
	m.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodHead || !torn.CompareAndSwap(false, true) {
			handler.ServeHTTP(w, req)
			return
		}
		before := httptest.NewRecorder()
		handler.ServeHTTP(before, req)
		if _, err := other.Save(req.Context(), farwire.File{Name: "a.txt", Body: []byte("new"), Version: 7}); err != nil {
			t.Error(err)
		}
		_, after := r.get("a.txt")
		maps.Copy(w.Header(), before.Header())
		w.Header().Set("ETag", `"`+after.ETag+`"`)
	})
	if _, err := s.Save(t.Context(), farwire.File{Name: "a.txt", Body: []byte("stale"), Version: 5}); !errors.Is(err, farwire.ErrStale) {
		t.Errorf("got %v", err)
	}
	if body, _ := r.get("a.txt"); body != "new" || !torn.Load() {
		t.Errorf("there is %q", body)
	}
}

// Where ETags are no hashes of the bytes, in buckets that are encrypted with
// keys of their own, an object looks so at every look.
func TestSave_ETagNotAHash_Works(t *testing.T) {
	server := harness.S3(t)
	s, r := newStorage(t, options(server)), newReader(t, server)
	_, err := r.PutObject(t.Context(), r.bucket, "a.txt", strings.NewReader("old"), 3, minio.PutObjectOptions{
		UserMetadata: map[string]string{"farwire-version": "3", "farwire-etag": "another"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Save(t.Context(), farwire.File{Name: "a.txt", Body: []byte("older"), Version: 2}); !errors.Is(err, farwire.ErrStale) {
		t.Errorf("got %v", err)
	}
	mustSave(t, s, farwire.File{Name: "a.txt", Body: []byte("new"), Version: 4})
	if body, _ := r.get("a.txt"); body != "new" {
		t.Errorf("there is %q", body)
	}
}

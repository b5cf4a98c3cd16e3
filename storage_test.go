package farwire_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire"
)

func newFolder(t testing.TB, dir string) *farwire.FolderStorage {
	t.Helper()
	s, err := farwire.NewFolderStorage(dir, "https://gw.example.com/files/")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mustSave(t testing.TB, s farwire.Storage, f farwire.File) string {
	t.Helper()
	url, err := s.Save(context.Background(), f)
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// serveFile asks the storage for a path, with headers as pairs.
func serveFile(s http.Handler, method, path string, header ...string) *http.Response {
	r := httptest.NewRequest(method, "/", nil)
	r.URL.Path = path
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result()
}

func bodyOf(t testing.TB, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFolder_BadOptions_AreRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{"", "https://gw.example.com/"}, {t.TempDir(), ""}, {t.TempDir(), "gw.example.com"}, {t.TempDir(), "ftp://gw.example.com/"},
		{t.TempDir(), "https:///files/"}, {t.TempDir(), "https://gw.example.com/?a"}, {file, "https://gw.example.com/"}, {file + "/below", "https://gw.example.com/"},
	} {
		if s, err := farwire.NewFolderStorage(c[0], c[1]); err == nil {
			s.Close()
			t.Errorf("Folder(%q, %q) is fine", c[0], c[1])
		}
	}
}

func TestFolder_FileSaved_IsServed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "for it")
	s := newFolder(t, dir)
	const text = "# Ünicode\n\n> https://example.com/\n"
	if url := mustSave(t, s, farwire.File{Name: "llms/example.com-1.txt", Body: []byte(text)}); url != "https://gw.example.com/files/llms/example.com-1.txt" {
		t.Errorf("its URL is %s", url)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "llms", "example.com-1.txt")); err != nil || string(b) != text {
		t.Errorf("the file holds %q, %v", b, err)
	}
	r := serveFile(s, "GET", "/llms/example.com-1.txt")
	if r.StatusCode != 200 || bodyOf(t, r) != text {
		t.Errorf("served %s", r.Status)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff",
		"Content-Length": fmt.Sprint(len(text)), "Access-Control-Allow-Origin": "*",
		"X-Farwire-From": "gateway",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	etag, modified := r.Header.Get("ETag"), r.Header.Get("Last-Modified")
	if !strings.HasPrefix(etag, `"`) || modified == "" {
		t.Fatalf("ETag %q, Last-Modified %q", etag, modified)
	}
	for _, c := range []struct {
		method string
		header []string
		status int
		body   string
	}{
		{"HEAD", nil, 200, ""},
		{"GET", []string{"If-None-Match", etag}, 304, ""},
		{"GET", []string{"If-None-Match", `"other"`}, 200, text},
		{"GET", []string{"If-Modified-Since", modified}, 304, ""},
		{"GET", []string{"Range", "bytes=2-4"}, 206, text[2:5]},
	} {
		r := serveFile(s, c.method, "/llms/example.com-1.txt", c.header...)
		if body := bodyOf(t, r); r.StatusCode != c.status || body != c.body || r.Header.Get("X-Farwire-From") != "gateway" {
			t.Errorf("%s %v: %s %q %v", c.method, c.header, r.Status, body, r.Header)
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE"} {
		if r := serveFile(s, method, "/llms/example.com-1.txt"); r.StatusCode != 405 || r.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %s", method, r.Status)
		}
	}
}

func TestFolder_PageOfAnotherOrigin_ReadsAnswersAndErrors(t *testing.T) {
	s := newFolder(t, t.TempDir())
	mustSave(t, s, farwire.File{Name: "llms/a.txt", Body: []byte("# A\n")})
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/llms/a.txt", 200}, {"HEAD", "/llms/a.txt", 200}, {"GET", "/llms/b.txt", 404}, {"GET", "/../a", 404},
		{"PUT", "/llms/a.txt", 405}, {"OPTIONS", "/llms/a.txt", 204},
	} {
		r := serveFile(s, c.method, c.path, "Origin", "https://app.example.com", "Access-Control-Request-Method", "GET")
		h := r.Header
		if r.StatusCode != c.status || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("X-Farwire-From") != "gateway" {
			t.Errorf("%s %s: %s %v", c.method, c.path, r.Status, h)
		}
		if methods := h.Get("Access-Control-Allow-Methods"); (c.method == "OPTIONS") != (methods == "GET, HEAD") {
			t.Errorf("%s %s allows the methods %q", c.method, c.path, methods)
		}
	}
}

// TestFolder_NameOutsideOrHidden_IsRefused keeps what is outside of the folder, or hidden in it, out of
// reach, neither to write nor to read.
func TestFolder_NameOutsideOrHidden_IsRefused(t *testing.T) {
	outer := t.TempDir()
	dir := filepath.Join(outer, "files")
	s := newFolder(t, dir)
	mustSave(t, s, farwire.File{Name: "llms/a.txt", Body: []byte("public"), Version: 7})
	secret := filepath.Join(outer, "secret.txt")
	for _, err := range []error{
		os.WriteFile(secret, []byte("secret"), 0o600),
		os.Symlink(secret, filepath.Join(dir, "link.txt")),
		os.Symlink(outer, filepath.Join(dir, "up")),
		os.Symlink("a.txt", filepath.Join(dir, "llms", "inside.txt")),
		os.Mkdir(filepath.Join(dir, "llms", "folder.txt"), 0o700),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{
		"", ".", "/", "..", "../secret.txt", "llms/../../secret.txt", "/etc/passwd", "llms//a.txt", "llms/", "llms/./a.txt",
		"llms/.a.txt.version", ".hidden", `llms\a.txt`, "llms/a.txt\x00", "llms/a b.txt", "llms/ä.txt", strings.Repeat("a", 201), strings.Repeat("a/", 600) + "a",
	} {
		if url, err := s.Save(t.Context(), farwire.File{Name: name, Body: []byte("x")}); err == nil {
			t.Errorf("%q was saved as %s", name, url)
		}
		if name == "/etc/passwd" {
			continue // a request's path begins with a slash
		}
		if r := serveFile(s, "GET", "/"+name); r.StatusCode != 404 || !strings.Contains(bodyOf(t, r), `"detail"`) {
			t.Errorf("%q was served: %s", name, r.Status)
		}
	}
	for _, name := range []string{"link.txt", "up/secret.txt", "llms/inside.txt", "llms/folder.txt", "llms", "llms/none.txt"} {
		if r := serveFile(s, "GET", "/"+name); r.StatusCode != 404 {
			t.Errorf("%s was served: %s", name, r.Status)
		}
	}
	// A link is replaced and not followed.
	mustSave(t, s, farwire.File{Name: "link.txt", Body: []byte("new")})
	if b, err := os.ReadFile(secret); err != nil || string(b) != "secret" {
		t.Errorf("the file behind the link holds %q, %v", b, err)
	}
	if _, err := s.Save(t.Context(), farwire.File{Name: "up/new.txt", Body: []byte("x")}); err == nil {
		t.Error("saved through a link that leads out")
	}
}

func TestFolder_OlderVersion_IsStale(t *testing.T) {
	s := newFolder(t, t.TempDir())
	save := func(version uint64, text string) error {
		_, err := s.Save(t.Context(), farwire.File{Name: "a.txt", Body: []byte(text), Version: version})
		return err
	}
	for _, c := range []struct {
		version uint64
		text    string
		stale   bool
		there   string
	}{
		{5, "five", false, "five"},
		{4, "four", true, "five"},
		{5, "five again", false, "five again"}, // a second try of the same crawl
		{0, "whatever is there", false, "whatever is there"},
		{4, "four", true, "whatever is there"},
		{18446744073709551615, "last", false, "last"},
		{6, "six", true, "last"},
	} {
		if err := save(c.version, c.text); errors.Is(err, farwire.ErrStale) != c.stale || err != nil && !c.stale {
			t.Errorf("version %d: %v", c.version, err)
		}
		if got := bodyOf(t, serveFile(s, "GET", "/a.txt")); got != c.there {
			t.Errorf("after version %d the file holds %q", c.version, got)
		}
	}
}

// TestFolder_EqualBytes_WritesNothing alone, so that Last-Modified tells the truth.
func TestFolder_EqualBytes_WritesNothing(t *testing.T) {
	dir := t.TempDir()
	s := newFolder(t, dir)
	mustSave(t, s, farwire.File{Name: "a.txt", Body: []byte("same"), Version: 1})
	old := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(dir, "a.txt"), old, old); err != nil {
		t.Fatal(err)
	}
	etag := serveFile(s, "GET", "/a.txt").Header.Get("ETag")
	mustSave(t, s, farwire.File{Name: "a.txt", Body: []byte("same"), Version: 2})
	r := serveFile(s, "GET", "/a.txt")
	if r.Header.Get("Last-Modified") != old.Format(http.TimeFormat) || r.Header.Get("ETag") != etag {
		t.Errorf("Last-Modified is %s", r.Header.Get("Last-Modified"))
	}
	mustSave(t, s, farwire.File{Name: "a.txt", Body: []byte("emas"), Version: 3})
	if r := serveFile(s, "GET", "/a.txt"); r.Header.Get("ETag") == etag {
		t.Error("another text has the same ETag")
	}
}

// TestFolder_SeveralProcesses_ReadWholeFiles has several storages of one folder, as several processes
// have, write and read one file. Readers see whole files, and versions only
// grow.
func TestFolder_SeveralProcesses_ReadWholeFiles(t *testing.T) {
	dir := t.TempDir()
	content := func(version int) string {
		return fmt.Sprintf("%06d", version) + strings.Repeat(fmt.Sprint(version%10), 20_000)
	}
	var next sync.Mutex
	version := 0
	var wg sync.WaitGroup
	writing, stop := context.WithCancel(context.Background())
	defer stop()
	for range 4 {
		s := newFolder(t, dir)
		wg.Go(func() {
			for {
				next.Lock()
				version++
				v := version
				next.Unlock()
				if v > 120 {
					stop()
					return
				}
				_, err := s.Save(t.Context(), farwire.File{Name: "llms/a.txt", Body: []byte(content(v)), Version: uint64(v)})
				if err != nil && !errors.Is(err, farwire.ErrStale) {
					t.Error(err)
				}
			}
		})
	}
	for range 2 {
		s := newFolder(t, dir)
		wg.Go(func() {
			last := 0
			for writing.Err() == nil {
				r := serveFile(s, "GET", "/llms/a.txt")
				if r.StatusCode == 404 && last == 0 {
					continue // before the first
				}
				text := bodyOf(t, r)
				var v int
				if _, err := fmt.Sscanf(text, "%06d", &v); err != nil || text != content(v) {
					t.Errorf("%s: a mixture that begins %.20q", r.Status, text)
					return
				}
				if v < last {
					t.Errorf("version %d after %d", v, last)
				}
				last = v
			}
		})
	}
	wg.Wait()
	if got := bodyOf(t, serveFile(newFolder(t, dir), "GET", "/llms/a.txt")); got != content(120) {
		t.Errorf("in the end it begins %.20q", got)
	}
}

// TestFolder_WriterKilled_FileIsWhole kills a process that writes without pause, again and again.
// What it leaves is a whole file, and the next one can go on.
func TestFolder_WriterKilled_FileIsWhole(t *testing.T) {
	if dir := os.Getenv("FOLDER_TO_WRITE"); dir != "" {
		s := newFolder(t, dir)
		for v := 1; ; v++ {
			mustSave(t, s, farwire.File{Name: "a.txt", Body: []byte(strings.Repeat(fmt.Sprintf("%08d\n", v), 10_000))})
			if v == 3 {
				fmt.Println("writing")
			}
		}
	}
	dir := t.TempDir()
	for range 5 {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestFolder_WriterKilled_FileIsWhole$")
		cmd.Env = append(os.Environ(), "FOLDER_TO_WRITE="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(out, make([]byte, len("writing"))); err != nil {
			t.Errorf("it never writes: %v", err)
		}
		cmd.Process.Kill()
		cmd.Wait() // it was killed, and says so
		b, err := os.ReadFile(filepath.Join(dir, "a.txt"))
		if err != nil || len(b) != 90_000 || strings.Count(string(b), string(b[:9])) != 10_000 {
			t.Fatalf("%d bytes that begin %.20q, %v", len(b), b, err)
		}
	}
	mustSave(t, newFolder(t, dir), farwire.File{Name: "a.txt", Body: []byte("after"), Version: 1})
	if b, err := os.ReadFile(filepath.Join(dir, "a.txt")); err != nil || string(b) != "after" {
		t.Errorf("it holds %.20q, %v", b, err)
	}
}

func TestFolder_Cancelled_WritesNothing(t *testing.T) {
	s := newFolder(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Save(ctx, farwire.File{Name: "a.txt", Body: []byte("x")}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if r := serveFile(s, "GET", "/a.txt"); r.StatusCode != 404 {
		t.Errorf("it was saved: %s", r.Status)
	}
}

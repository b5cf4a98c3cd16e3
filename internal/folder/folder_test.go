package folder_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/farwire/farwire/internal/folder"
)

func open(t testing.TB, dir string) *folder.Folder {
	t.Helper()
	d, err := folder.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func read(t testing.TB, d *folder.Folder, name string) string {
	t.Helper()
	f, _, err := d.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFolder_Save_NewerVersionsStay(t *testing.T) {
	d, ctx := open(t, t.TempDir()), context.Background()
	for _, c := range []struct {
		version uint64
		body    string
		stale   bool
		there   string
	}{{2, "two", false, "two"}, {1, "one", true, "two"}, {2, "again", false, "again"}, {0, "any", false, "any"}, {3, "three", false, "three"}} {
		if err := d.Save(ctx, "a/b.txt", []byte(c.body), c.version); errors.Is(err, folder.ErrStale) != c.stale || err != nil && !c.stale {
			t.Errorf("version %d: %v", c.version, err)
		}
		if got := read(t, d, "a/b.txt"); got != c.there {
			t.Errorf("after version %d: %q, want %q", c.version, got, c.there)
		}
	}
}

// A file that cannot be saved leaves nothing of itself, which no list would show.
func TestFolder_SaveFails_LeavesNoPart(t *testing.T) {
	dir := t.TempDir()
	d, ctx := open(t, dir), context.Background()
	if err := d.Save(ctx, "site/page/below.md", []byte("below"), 1); err != nil {
		t.Fatal(err)
	}
	if err := d.Save(ctx, "site/page", []byte("a file where a folder is"), 1); err == nil {
		t.Fatal("a folder was replaced by a file")
	}
	if left, err := filepath.Glob(filepath.Join(dir, "site", "*.new")); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
	if got := read(t, d, "site/page/below.md"); got != "below" {
		t.Errorf("the file below has %q", got)
	}
}

func TestFolder_ManyWriters_OneWholeFile(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for n := range 8 {
		d := open(t, dir) // as processes that share it
		wg.Go(func() {
			for range 5 {
				if err := d.Save(context.Background(), "a.txt", []byte(strings.Repeat(fmt.Sprint(n), 10_000)), 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := read(t, open(t, dir), "a.txt"); len(got) != 10_000 || strings.Trim(got, got[:1]) != "" {
		t.Errorf("a mixture of %d bytes", len(got))
	}
}

func TestFolder_LockHeld_WaitEndsWithTheContext(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	if err := d.Save(context.Background(), "a.txt", nil, 0); err != nil {
		t.Fatal(err)
	}
	cause := errors.New("out of time")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	if err := d.Save(ctx, "a.txt", []byte("x"), 0); !errors.Is(err, cause) {
		t.Errorf("saved with %v", err)
	}
}

func TestFolder_Secret_IsMadeOnceAndListedNowhere(t *testing.T) {
	dir := t.TempDir()
	d, ctx := open(t, dir), context.Background()
	secret, err := d.Secret(ctx, "names")
	if err != nil || len(secret) < 32 {
		t.Fatalf("%d bytes, %v", len(secret), err)
	}
	if again, err := open(t, dir).Secret(ctx, "names"); err != nil || string(again) != string(secret) {
		t.Errorf("another one after a restart: %v", err)
	}
	if other, err := d.Secret(ctx, "others"); err != nil || string(other) == string(secret) {
		t.Errorf("the same under another name: %v", err)
	}
	for _, name := range []string{"", "../names", "a/b", ".hidden"} {
		if _, err := d.Secret(ctx, name); err == nil {
			t.Errorf("%q names a secret", name)
		}
	}
	if err := d.Save(ctx, "below/a.txt", []byte("12345"), 7); err != nil {
		t.Fatal(err)
	}
	files, err := d.Files(ctx, "below")
	if err != nil || len(files) != 1 || files[0].Name != "below/a.txt" || files[0].Size != 5 {
		t.Errorf("%+v, %v", files, err)
	}
	if err := d.Remove(ctx, "below"); err != nil {
		t.Error(err)
	}
	if _, _, err := d.Open("below/a.txt"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after its removal: %v", err)
	}
	if files, err := d.Files(ctx, "below"); err != nil || len(files) != 0 {
		t.Errorf("after its removal: %+v, %v", files, err)
	}
}

func TestFolder_Open_RegularFilesAlone(t *testing.T) {
	outer := t.TempDir()
	dir := filepath.Join(outer, "files")
	d := open(t, dir)
	for _, err := range []error{
		os.WriteFile(filepath.Join(outer, "secret"), []byte("secret"), 0o600),
		os.Symlink(filepath.Join(outer, "secret"), filepath.Join(dir, "link")),
		os.Mkdir(filepath.Join(dir, "folder"), 0o700),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"link", "folder", "missing"} {
		if f, _, err := d.Open(name); !errors.Is(err, fs.ErrNotExist) {
			f.Close()
			t.Errorf("%s is opened: %v", name, err)
		}
	}
	if _, err := folder.Open(""); err == nil {
		t.Error("an empty dir is opened")
	}
}

// FuzzValidName holds every name that is taken to the folder.
func FuzzValidName(f *testing.F) {
	for _, seed := range []string{"a.txt", "a/b", "../a", ".a", "a/../b", "/a", "a\x00", "ä"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if folder.ValidName(name) && (!filepath.IsLocal(name) || filepath.Clean(name) != name || strings.ContainsAny(name, "\\\x00 ") || strings.Contains("/"+name, "/.")) {
			t.Errorf("%q is valid", name)
		}
	})
}

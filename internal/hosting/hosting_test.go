package hosting_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/folder"
	"github.com/farwire/farwire/internal/hosting"
)

var secret = []byte("a secret of thirty-two bytes....")

func TestNewSite_TwoSites_HaveDifferentFolders(t *testing.T) {
	seen := map[string]string{}
	for _, c := range [][2]string{
		{"alice", "https://example.com/"}, {"alice", "https://example.com/docs/"}, {"alice", "http://example.com/"}, {"bob", "https://example.com/"},
		{"alice https://example.com/", "x"}, {"alice", "https://example.com/ x"}, {"", "https://example.com/"}, {"alice", "https://EXAMPLE.com/"},
		{"alice", "https://bücher.example/"}, {"alice", "https://" + strings.Repeat("a", 300) + ".test/"}, {"alice", "%"}, {"alice", ""},
	} {
		s := hosting.NewSite(secret, c[0], c[1])
		if other, taken := seen[s.Folder]; taken {
			t.Errorf("%q and %s share %s", c, other, s.Folder)
		}
		seen[s.Folder] = fmt.Sprint(c)
		if name := s.Name(""); !folder.ValidName(name) || !strings.HasPrefix(s.Folder, s.Caller+"/") || name != s.Folder+"/llms.txt" {
			t.Errorf("%q: %s in %s of %s", c, name, s.Folder, s.Caller)
		}
		if again := hosting.NewSite(secret, c[0], c[1]); again != s {
			t.Errorf("%q: %+v, and then %+v", c, s, again)
		}
		if other := hosting.NewSite([]byte("another"), c[0], c[1]); other.Folder == s.Folder || other.Caller == s.Caller {
			t.Errorf("%q: the same under another secret", c)
		}
	}
}

// The folder of a site begins with its host, for whoever looks into the storage.
func TestNewSite_Host_BeginsTheFolder(t *testing.T) {
	for base, label := range map[string]string{
		"https://Az-0.9.aZ.test:8443/x":             "az-0.9.az.test-",
		"https://[2001:db8::1]/":                    "2001-db8--1-",
		"https://a_b!c.test./":                      "a-b-c.test-",
		"https://" + strings.Repeat("a", 101) + "/": strings.Repeat("a", 100) + "-",
		"https:///x":                                "",
		"%":                                         "",
	} {
		s := hosting.NewSite(secret, "alice", base)
		rest := strings.TrimPrefix(s.Folder, s.Caller+"/")
		if got := rest[:max(0, len(rest)-32)]; got != label {
			t.Errorf("%s: %q, want %q", base, got, label)
		}
	}
}

func TestSite_Name_OfAnEarlierRelease_Stays(t *testing.T) {
	s := hosting.NewSite(secret, "alice", "https://example.com/")
	sum := sha256.Sum256([]byte("5 alice https://example.com/"))
	before := "llms/example.com-" + hex.EncodeToString(sum[:16]) + ".txt"
	for hosted, want := range map[string]string{
		"":                                     s.Folder + "/llms.txt",
		"https://gw.test/files/" + before:      before,
		"https://gw.test/files/other" + before: s.Folder + "/llms.txt",
		"https://gw.test/files/llms/example.com-0123456789abcdef0123456789abcdef.txt": s.Folder + "/llms.txt",
	} {
		if got := s.Name(hosted); got != want {
			t.Errorf("hosted at %q: %s, want %s", hosted, got, want)
		}
	}
}

func TestSurplus_OldestNotEnrolled_IsRemovedFirst(t *testing.T) {
	at := func(n int) time.Time { return time.Unix(int64(n), 0) }
	saved := hosting.Site{Caller: "llms/c", Folder: "llms/c/new"}
	files := []hosting.File{
		{Name: "llms/c/old/llms.txt", Size: 10, Modified: at(1)},
		{Name: "llms/c/enrolled/llms.txt", Size: 10, Modified: at(0)},
		{Name: "llms/c/mid/llms.txt", Size: 10, Modified: at(2)},
		{Name: "llms/c/mid/docs/a.md", Size: 10, Modified: at(9)}, // a crawl is as new as its newest file
		{Name: "llms/c/mid/docs/b.md", Modified: at(3)},
		{Name: "llms/c/late/llms.txt", Size: 10, Modified: at(5)},
		{Name: "llms/c/new/llms.txt", Size: 100, Modified: at(9)},
		{Name: "llms/other/x/llms.txt", Size: 1000, Modified: at(0)},
		{Name: "llms/c/stray.txt", Size: 1000, Modified: at(0)},
	}
	for _, c := range []struct {
		crawls int
		bytes  int64
		want   []string
	}{
		{5, 150, nil},
		{4, 150, []string{"old"}},
		{3, 150, []string{"old", "late"}},
		{1, 150, []string{"old", "late", "mid", "enrolled"}},
		{0, 150, []string{"old", "late", "mid", "enrolled"}}, // what has just been saved stays
		{5, 149, []string{"old"}},
		{5, 140, []string{"old"}},
		{5, 120, []string{"old", "late", "mid"}},
		{5, 0, []string{"old", "late", "mid", "enrolled"}},
	} {
		got, err := hosting.Surplus(files, saved, hosting.Limits{Crawls: c.crawls, Bytes: c.bytes}, func() ([]string, error) { return []string{"llms/c/enrolled"}, nil })
		for i := range got {
			got[i] = strings.TrimPrefix(got[i], "llms/c/")
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("at most %d crawls and %d bytes: %q, %v, want %q", c.crawls, c.bytes, got, err, c.want)
		}
	}
	failed := errors.New("the store is away")
	if _, err := hosting.Surplus(files, saved, hosting.Limits{Crawls: 1, Bytes: 1}, func() ([]string, error) { return nil, failed }); !errors.Is(err, failed) {
		t.Errorf("without the enrolled sites: %v", err)
	}
	for _, enough := range []hosting.Limits{{Crawls: 9, Bytes: 1 << 30}, {Crawls: 5, Bytes: 150}} {
		if _, err := hosting.Surplus(files, saved, enough, nil); err != nil { // nil would panic
			t.Error(err)
		}
	}
	all := func() ([]string, error) {
		return []string{"llms/c/enrolled", "llms/c/mid", "llms/c/old", "llms/c/without-files"}, nil
	}
	got, err := hosting.Surplus(files, saved, hosting.Limits{Crawls: 1, Bytes: 150}, all)
	if want := []string{"llms/c/late", "llms/c/enrolled", "llms/c/old", "llms/c/mid"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("with three that are enrolled: %q, %v, want %q", got, err, want)
	}
}

// Crawls save, and look for what is too much, in any order: when all have, as many are left
// as may be, and they are those that were saved last.
func TestSurplus_SavedMeanwhileByOthers_NothingElseGoes(t *testing.T) {
	const most, saves = 4, 9
	for _, enrolled := range [][]string{nil, {"llms/c/0"}, {"llms/c/3", "llms/c/8"}} {
		var files []hosting.File
		left := map[string]bool{}
		for n := range saves {
			folder := fmt.Sprint("llms/c/", n)
			left[folder] = true
			files = append(files, hosting.File{Name: folder + "/llms.txt", Size: 10, Modified: time.Unix(int64(n), 0)})
		}
		for n := range saves { // each has all of them in its list
			gone, err := hosting.Surplus(files, hosting.Site{Caller: "llms/c", Folder: fmt.Sprint("llms/c/", n)}, hosting.Limits{Crawls: most, Bytes: 1 << 20},
				func() ([]string, error) { return enrolled, nil })
			if err != nil {
				t.Fatal(err)
			}
			for _, folder := range gone {
				delete(left, folder)
			}
		}
		want := map[string]bool{}
		for _, folder := range enrolled {
			want[folder] = true
		}
		for n := saves - 1; len(want) < most; n-- {
			want[fmt.Sprint("llms/c/", n)] = true
		}
		if !maps.Equal(left, want) {
			t.Errorf("enrolled %v: %v are left, want %v", enrolled, left, want)
		}
	}
}

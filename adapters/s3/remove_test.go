package s3_test

import (
	"slices"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/internal/harness"
)

func TestRemove_Folder_TakesAllBelowItAndNothingElse(t *testing.T) {
	o := options(harness.S3(t))
	o.Prefix = "some/where"
	s := newStorage(t, o)
	for _, name := range []string{"llms/a/one/llms.txt", "llms/a/one/pages/x.md", "llms/a/one-more/llms.txt", "llms/b/one/llms.txt"} {
		mustSave(t, s, farwire.File{Name: name, Body: []byte("text"), Version: 1})
	}
	names := func(folder string) (list []string) {
		t.Helper()
		files, err := s.Files(t.Context(), folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if f.Size != 4 || f.Modified.IsZero() {
				t.Errorf("%+v", f)
			}
			list = append(list, f.Name)
		}
		slices.Sort(list)
		return list
	}
	if got := names("llms/a"); !slices.Equal(got, []string{"llms/a/one-more/llms.txt", "llms/a/one/llms.txt", "llms/a/one/pages/x.md"}) {
		t.Errorf("below llms/a: %q", got)
	}
	if got := names("llms/none"); got != nil {
		t.Errorf("below a folder that is not there: %q", got)
	}
	for range 2 { // the second finds nothing
		if err := s.Remove(t.Context(), "llms/a/one"); err != nil {
			t.Fatal(err)
		}
	}
	if got := names("llms"); !slices.Equal(got, []string{"llms/a/one-more/llms.txt", "llms/b/one/llms.txt"}) {
		t.Errorf("left: %q", got)
	}
	for _, bad := range []string{"", ".", "../a", "/a", "a/"} {
		if err := s.Remove(t.Context(), bad); err == nil {
			t.Errorf("removed below %q", bad)
		}
		if _, err := s.Files(t.Context(), bad); err == nil {
			t.Errorf("listed below %q", bad)
		}
	}
}

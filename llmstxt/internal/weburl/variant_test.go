package weburl

import (
	"slices"
	"testing"
)

func TestVersion_InThePath_IsCutOut(t *testing.T) {
	for path, want := range map[string][2]string{
		"/docs/2.0/install": {"2.0", "/docs/install"}, "/docs/v3/": {"v3", "/docs/"}, "/en/latest/a.html": {"latest", "/en/a.html"},
		"/docs/install": {"", "/docs/install"}, "/changes/1.2.3": {"", "/changes/1.2.3"}, "/p/12/x": {"", "/p/12/x"}, "/1.x/a": {"1.x", "/a"},
		"/Next/a": {"next", "/a"}, "/2.0.0-SNAPSHOT/a": {"2.0.0-snapshot", "/a"}, "/3.0.0-M1/a": {"3.0.0-m1", "/a"}, "/5.3.39.RELEASE/a": {"5.3.39.release", "/a"}, "/4.2.Final/a": {"4.2.final", "/a"},
		"/latest-v18.x/api/a": {"latest-v18.x", "/api/a"}, "/lts/a": {"lts", "/a"}, "/docs/beta/a": {"beta", "/docs/a"}, "/preview/a": {"preview", "/a"}, "/docs/15/a": {"", "/docs/15/a"}, "/1.2-tea/a": {"", "/1.2-tea/a"}, "/v2.0.0-rc1/a": {"v2.0.0-rc1", "/a"}, "/2024/05/a": {"", "/2024/05/a"},
		"/docs/pre-1.0/a": {"pre-1.0", "/docs/a"}, "/prev2.0/a": {"prev2.0", "/a"}, "/docs/pre-1.0": {"", "/docs/pre-1.0"}, "/pre-alpha/a": {"", "/pre-alpha/a"}, "/pre-2024/a": {"", "/pre-2024/a"},
	} {
		v, rest, root := Version(Parse("http://a.test" + path))
		if v != want[0] || rest != want[1] || root != (path == "/docs/v3/") {
			t.Errorf("%s: %q, %q, %t", path, v, rest, root)
		}
	}
}

func TestNewer_EachForm_SortsNewestFirst(t *testing.T) {
	order := []string{"latest", "lts", "v10.0", "4.2.final", "3.1.1.release", "2.10", "2.9.1", "2.9", "v1.0", "3.0-rc1", "3.0.0-m1", "pre-3.0", "2.0.0-snapshot", "main"}
	if got := slices.SortedFunc(slices.Values([]string{"2.9", "main", "pre-3.0", "3.0.0-m1", "v1.0", "3.0-rc1", "latest", "2.10", "4.2.final", "v10.0", "2.9.1", "2.0.0-snapshot", "lts", "3.1.1.release"}), func(a, b string) int {
		switch {
		case Newer(a, b):
			return -1
		case Newer(b, a):
			return 1
		}
		return 0
	}); !slices.Equal(got, order) {
		t.Errorf("%v", got)
	}
	if !SameVersion("v2.0", "2.0") || SameVersion("2.0", "2") {
		t.Error("SameVersion")
	}
}

func TestWithoutLanguage_LanguageInThePath_IsReplaced(t *testing.T) {
	if got := WithoutLanguage(Parse("http://a.test/docs/fr/install"), "fr-CA", "en"); !slices.Equal(got, []string{"/docs/install", "/docs/en/install", "/docs/en/install"}) {
		t.Errorf("%v", got)
	}
	if got := WithoutLanguage(Parse("http://a.test/fr/"), "fr", ""); !slices.Equal(got, []string{"/"}) {
		t.Errorf("%v", got)
	}
	if got := WithoutLanguage(Parse("http://a.test/go/install"), "fr", "en"); got != nil {
		t.Errorf("%v", got)
	}
}

func TestParse_NumberOfAVisit_IsTakenOff(t *testing.T) {
	const digits = "65f1c0a9b3d24e7781aa90ce65f1c0a9b3d24e77"
	for _, name := range []string{"s", "sid", "session", "session_id", "SessID"} {
		for n, dropped := range map[int]bool{8: false, 23: false, 24: false, 26: true, 32: true, 40: true} {
			in := "http://a.test/talk?" + name + "=" + digits[:n]
			if got := Parse(in).String(); (got == "http://a.test/talk") != dropped || !dropped && got != in {
				t.Errorf("%s: %s", in, got)
			}
		}
	}
}

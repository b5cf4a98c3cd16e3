package weburl

import (
	"fmt"
	"strings"
	"testing"
)

func TestSwitched_LinksToVersions_ShowTheirFolders(t *testing.T) {
	for links, want := range map[string]string{
		"15 /docs/15/; 16 (current) /docs/16/; dev /docs/devel/":  "[/docs/15 /docs/16 /docs/devel]",
		"15 /docs/15/a.html; 16 (current) /docs/current/a.html":   "[/docs/15 /docs/current]",
		"Version 3 /3/x; Version 4 /4/y":                          "[/3 /4]",
		"v8 – old /en/8/; v9 /en/9/":                              "[/en/8 /en/9]",
		"1 /page/1/; 2 /page/2/; 3 /page/3/":                      "[]",
		"1 /book/1/; next /book/2/":                               "[]",
		"15 (old) /docs/15/":                                      "[]",
		"Tea 15 /docs/15/; Tea 16 /docs/16/":                      "[]",
		"15 /a/; 16 (current) /b/":                                "[]",
		"15 /docs/15/; 16 (current) /docs/16/":                    "[/docs/15 /docs/16]",
		"15 /docs/15/; 16 – aktuell /docs/16/":                    "[/docs/15 /docs/16]",
		"Current (18) /docs/current/; 17 /docs/17/; 16 /docs/16/": "[/docs/current /docs/17 /docs/16]",
		"latest (v3.2) /en/latest/; 3.1 /en/3.1/":                 "[/en/latest /en/3.1]",
		"5 - EOL /docs/5/; 6 [stable] /docs/6/":                   "[/docs/5 /docs/6]",
		"5 (устаревшая) /docs/5/; 6 /docs/6/":                     "[/docs/5 /docs/6]",
		"1 - Introduction /course/1/; 2 - Setup /course/2/":       "[]",
		"1 – Einleitung /kurs/1/; 2 – Aufbau /kurs/2/":            "[]",
		"2024 (12) /2024/; 2023 (7) /2023/":                       "[]",
		"1 (current) /blog/page/1; 2 /blog/page/2":                "[]",
		"1 /blog/; 2 (current) /blog/2; 3 /blog/3":                "[]",
		"select 15 /docs/15/; select 16 /docs/16/":                "[/docs/15 /docs/16]",
		"select 1 /list/1/; select 2 /list/2/":                    "[]",
		"select 2024 /2024/; select 2023 /2023/":                  "[]",
		"3.0 /x?v=3.0; 2.0 /x?v=2.0":                              "[?v=3.0 ?v=2.0]",
		"v2 /x?v=2; v1 /x?v=1":                                    "[?v=2 ?v=1]",
		"2 (latest) /x?ver=2; 1 /x?ver=1":                         "[?ver=2 ?ver=1]",
		"select 15 /x?v=15; select 16 /x?v=16":                    "[?v=15 ?v=16]",
		"16 /john?v=16; 17 /john?v=17":                            "[]",
		"1 /photos?view=1; 2 (current) /photos?view=2":            "[]",
		"2022 /report?release=2022; 2023 /report?release=2023":    "[]",
		"3.0 /x?v=3.0; 2.0 /x?view=2.0":                           "[]",
	} {
		var choices []Choice
		for l := range strings.SplitSeq(links, "; ") {
			i := strings.LastIndex(l, " ")
			text, option := strings.CutPrefix(l[:i], "select ")
			choices = append(choices, Choice{text, Parse("http://a.test" + l[i+1:]), option})
		}
		if got := fmt.Sprint(Switched(choices)); got != want {
			t.Errorf("%s: %s, want %s", links, got, want)
		}
	}
}

func TestVersionIn_KnownFolder_IsCutOut(t *testing.T) {
	known := map[string]bool{"/docs/15": true, "/3": true}
	for path, want := range map[string]string{"/docs/15/a/b": "15 /docs/a/b false", "/docs/15/": "15 /docs/ true", "/3/x": "3 /x false", "/docs/150/a": " /docs/150/a false", "/docs/15": " /docs/15 false", "/docs/2.0/a": "2.0 /docs/a false"} {
		v, p, root := VersionIn(Parse("http://a.test"+path), known)
		if got := fmt.Sprint(v, " ", p, " ", root); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

// What stands behind a number must be said of a version.
func TestIsVersion_WordsBehindANumber_AreThoseOfVersions(t *testing.T) {
	for text, want := range map[string]bool{
		"16 (current)": true, "v2 (LTS)": true, "3.1 - End of life": true, "4.2 [unsupported]": true, "5 – in Entwicklung": true, "6 (obsolète)": true, "7 (最新版)": true, "dev (unstable)": true, "stable - 4.1": true, "8 (stable release)": true,
		"1.0.rc1": true, "3.x": true, "2.X (dev)": true, "2.1.": false, "2.1. Pots": false, "2. (current)": false, "4.x. next": false,
		"1 - Introduction": false, "2 (Setup)": false, "2024 (12)": false, "3.1 - What is new": false, "4 [of 12]": false, "latest (news)": false, "main (menu)": false, "next - Chapter two": false,
	} {
		if IsVersion(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

// What is looked at before the pattern lets pass all that the pattern matches.
func TestIsVersion_WordsOfAnyKind_AreThoseOfThePattern(t *testing.T) {
	begins := []string{"", "v", "V", "version ", "release ", "Rel ", "3", "3.11", "3.x", "1.0.", "2024", "latest", "Stable", "next", "dev", "LTS", "Tea", "pot 3", "–"}
	stages := []string{"", "rc1", "-rc.2", " beta", ".Final", " alpha.3", "dev", "-m4", " Tea", "x"}
	ends := []string{"", " (latest)", "(current)", " [old version]", " – stable", "—dev", " - 3.4", "-lts", " (3.12)", " Documentation", " ABI", "()", " ", "ſ", ".", " -"}
	versions := 0
	for _, begin := range begins {
		for _, stage := range stages {
			for _, end := range ends {
				text := begin + stage + end
				want := choice.MatchString(text)
				if got := IsVersion(text); got != want {
					t.Errorf("%q: %t, want %t", text, got, want)
				}
				if want {
					versions++
				}
			}
		}
	}
	if versions < 100 {
		t.Errorf("%d of the texts are versions", versions)
	}
}

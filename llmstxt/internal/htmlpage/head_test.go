package htmlpage

import "testing"

func TestRefreshTarget_EachForm_IsReadOrIgnored(t *testing.T) {
	for v, want := range map[string]string{
		"0; url=next.html": "next.html", "0;URL='a b.html'": "a b.html", `5; url = "x"y`: "x", "0, url=x": "x", "0;x": "x", "0.5; url=x": "x",
		"0": "", "30": "", "30; url=x": "", "300; url=x": "", "": "", "0; url=": "", "10; url=x": "x",
	} {
		if got := RefreshTarget(v); got != want {
			t.Errorf("%q: %q, want %q", v, got, want)
		}
	}
}

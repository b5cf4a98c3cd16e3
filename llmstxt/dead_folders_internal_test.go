package llmstxt

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// An address may have a thousand folders; what is kept of each address is bounded.
func TestDeadFolders_DeepAddresses_KeepFewFolders(t *testing.T) {
	const addresses = 50
	d := deadFolders{}
	for i := range addresses {
		key := fmt.Sprintf("https://docs.test/%d/%s", i, strings.Repeat("a/", 900))
		d.ask(key)
		d.answer(key, true)
	}
	if len(d) > 20*addresses {
		t.Errorf("%d folders are kept of %d addresses", len(d), addresses)
	}
}

// A folder is told by what lies below it, however deep and with whatever query.
func TestDeadFolders_MissingAddresses_MakeTheirFolderDead(t *testing.T) {
	deep := strings.Repeat("b/", 20)
	d := deadFolders{}
	for i := range enoughMissing {
		key := fmt.Sprintf("https://docs.test/a/%s%d?from=/c/", deep, i)
		d.ask(key)
		d.answer(key, isMissing(&result{status: http.StatusGone}))
	}
	for key, want := range map[string]bool{
		"https://docs.test/a/other": true, "https://docs.test/a/" + deep + "x": true,
		"https://docs.test/c/x": false, "https://docs.test/a": false, "https://docs.test/": false, "https://docs.test": false, "https://docs.test/x?to=/a/": false,
	} {
		if d.has(key) != want {
			t.Errorf("%s: dead %t", key, !want)
		}
	}
}

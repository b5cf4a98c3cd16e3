package mention_test

import (
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/mention"
)

// What an answer mentions is found whatever its scheme and its script, so that it can
// bring nothing that the page did not have.
func TestFind_AnyScheme_IsNotWithinAPlainText(t *testing.T) {
	page := []mention.Set{mention.Find("A tool for teams. Read the guide: it has all. Ratios are 3:2, at 12:30, std::sort. See a.test.")}
	for _, text := range []string{
		"slack:open", "slack://open", "Open slack:channel?id=1 now", "vscode:extension/evil.ext", "vscode-insiders:x",
		"sip:evil@evil.test", "sip:evil", "xmpp:a@b", "zoommtg:join", "ms-settings:privacy", "web+coffee:brew", "git+ssh:x", "SLACK:open",
		"bitcoin:1abc", "(tg:resolve)", "[x](signal:call)", "`skype:evil`", "**steam:run**",
		"evil.рф", "evil.中国", "evil.网址", "evil.ไทย", "evil.موقع", "evil.한국", "请看evil.中国吧", "evil.新しい", "evil.нечто", "evil2.新しい",
		"evil.xn--p1ai", "evil。中国",
	} {
		if mention.Find(text).Within(page) {
			t.Errorf("%q is within a page that does not have it", text)
		}
		if found := mention.Find(text); !found.Within([]mention.Set{found}) {
			t.Errorf("%q is not within itself", text)
		}
	}
	for _, text := range []string{
		"A tool for teams: simple and quick.", "The ratio is 3:2.", "It starts at 12:30.", "Use std::sort.", "注意：这是一个工具。它很快。",
		"API：说明", "Конец. Начало.", "See a.test.", "Names: a, b and c.", "e.g. this; Node.js, 3.11",
	} {
		if !mention.Find(text).Within(page) {
			t.Errorf("%q is taken for an address", text)
		}
	}
}

// Underscores mark emphasis where no letter or digit stands on both sides, and what they
// mark is linked without them.
func TestFind_EmphasisOfUnderscores_HidesNoAddress(t *testing.T) {
	page := []mention.Set{mention.Find("A tool for teams. See snake_case.test, __init__ and good.test.")}
	for _, address := range []string{"www.evil.com", "www.evil.newtld", "evil.com", "evil.co.uk", "me@evil.com", "slack:open", "mailto:me", "localhost", "192.0.2.1", "evil.рф", "evil.中国"} {
		for _, around := range [][2]string{
			{"_", "_"}, {"__", "__"}, {"___", "___"}, {"*_", "_*"}, {"_*", "*_"}, {"**_", "_**"}, {"_**", "**_"}, {"~~_", "_~~"}, {"_`", "`_"},
			{"(_", "_)"}, {"[_", "_]"}, {"\"_", "_\""}, {"'_", "_'"}, {"“_", "_”"}, {"«_", "_»"}, {"Go to _", "_."}, {"Go to _", "_, now"}, {"Go to _", "_! Now"},
			{"_see ", "_"}, {"_", " now_"}, {"_", "_-_x_"}, {"_", "_*x*"}, {"-_", "_"}, {"…_", "_…"}, {"—_", "_—"}, {"\\_", "\\_"}, {"&#95;", "&lowbar;"},
			{"_\u200b", "\u200b_"}, {"😀_", "_😀"}, {"_", ""}, {"", "_"}, {"，_", "_。"},
		} {
			text := around[0] + address + around[1]
			if mention.Find(text).Within(page) {
				t.Errorf("%q is within a page that does not have it", text)
			}
			if !mention.Find(address).Within([]mention.Set{mention.Find(text)}) {
				t.Errorf("%q is not found in %q", address, text)
			}
		}
	}
	for _, text := range []string{"_evil_.com", "evil._com_", "__evil__.com", "*evil*_.com_", "_evil.__com_", "_e_**vil.com**", "x_www.evil.newtld", "x_www.evil.newtld_y"} {
		if mention.Find(text).Within(page) {
			t.Errorf("%q is within a page that does not have it", text)
		}
	}
	for _, text := range []string{
		"_A tool_ for __teams__.", "*_Simple_* and _**quick**_.", "See _snake_case.test_.", "Calls __init__ (and _x_).", "_", "__ __", "snake_case and CONST_NAME_",
		"The _ratio_ is 3:2.", "_a.b_c_", "Set _Node.js_ up, _3.11_.", "x_www", "_www_",
	} {
		if !mention.Find(text).Within(page) {
			t.Errorf("%q is taken for an address", text)
		}
	}
}

// An underscore inside a name belongs to it.
func TestFind_UnderscoreInsideAName_IsPartOfIt(t *testing.T) {
	page := []mention.Set{mention.Find("See my_host.test and _dmarc.good.test.")}
	for text, within := range map[string]bool{
		"my_host.test": true, "(my_host.test)": true, "_my_host.test": false, "myhost.test": false, "host.test": false, "my.host.test": false,
		"_dmarc.good.test": true, "good.test": false, "my__host.test": false, "your_host.test": false,
	} {
		if got := mention.Find(text).Within(page); got != within {
			t.Errorf("%q: within the page: %v, want %v", text, got, within)
		}
	}
}

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

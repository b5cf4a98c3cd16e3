package notpage

import (
	"net/url"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
)

func TestIsLogin_Path_NamesTheSegment(t *testing.T) {
	for p, want := range map[string]bool{
		"/login": true, "/users/sign_in": true, "/sign-in.html": true, "/accounts/": true, "/oauth2/authorize": true, "/SSO": false,
		"/docs/": false, "/login-guide": false, "/authentication": false, "/": false, "": false,
	} {
		if got := IsLogin(p); got != want {
			t.Errorf("%q: %v", p, got)
		}
	}
}

func TestSaysNotFound_TitleOrHeading_TellsErrorFromPage(t *testing.T) {
	at := &url.URL{Scheme: "https", Host: "docs.test", Path: "/guide/x"}
	for _, c := range []struct {
		title, heading, short string
		want                  bool
	}{
		{"Page not found | Docs", "", "Nothing here.", true},
		{"404", "404", "Nothing here.", true},
		{"Seite nicht gefunden – Handbuch", "", "Leider.", true},
		{"ページが見つかりません", "", "。", true},
		{"Docs", "Page not found", "There is nothing at /guide/x.", true},
		{"Docs", "Page not found", "What to answer when there is nothing.", false},
		{"Docs", "Guide", "The guide at /guide/x.", false},
		{"Handling not found errors", "Handling errors", "How to.", false},
	} {
		p := &htmlpage.Page{Title: c.title, Short: c.short}
		var blocks []htmlpage.Block
		if c.heading != "" {
			blocks = append(blocks, htmlpage.Block{Kind: htmlpage.Heading, Text: c.heading})
		}
		if got := SaysNotFound(p, blocks, at); got != c.want {
			t.Errorf("%q, %q, %q: %v", c.title, c.heading, c.short, got)
		}
	}
}

func TestWithoutPath_TextNamesItsAddress_IsTheSameForEach(t *testing.T) {
	at := func(p string) *url.URL { return &url.URL{Scheme: "https", Host: "docs.test", Path: p} }
	for text, c := range map[string]struct {
		path  string
		named bool
	}{
		"Nothing at /a/b.": {"/a/b", true}, "Nothing at /cat.": {"/cat", false}, "Nothing at https://docs.test/a/old-tea.": {"/a/old-tea", true},
		"Nothing at docs/old.": {"/docs/old", true}, "Nothing at old-guide.": {"/docs/old-guide", true}, "Nothing at old.html.": {"/docs/old.html", true}, "Nothing at Old guide.": {"/docs/old-guide.html", false},
		"Nothing at Install.": {"/docs/install", false}, "Nothing at tea.": {"/v2.0/old-pots/tea", false}, "Nothing at v2.": {"/docs/v2", true}, "Nothing at docs/Install.": {"/docs/install", true},
	} {
		got, named := WithoutPath(text, at(c.path))
		if want := "Nothing at ."; got != want && got != "Nothing at /." || named != c.named {
			t.Errorf("%q at %s: %q, %v", text, c.path, got, named)
		}
	}
	for _, c := range [][2]string{{"A page.", "/cat"}, {"Concatenation", "/cat"}, {"A page.", "/"}, {"A b c", "/b"}, {"", "/cat"}} {
		if got, _ := WithoutPath(c[0], at(c[1])); got != "" {
			t.Errorf("%q at %s, which it does not name: %q", c[0], c[1], got)
		}
	}
}

func TestSaysNotFound_ManyLanguages_AreKnown(t *testing.T) {
	at := &url.URL{Scheme: "https", Host: "docs.test", Path: "/guide/x"}
	for _, title := range []string{"File not found", "Document Not Found", "Object not found!", "Resource not found", "The requested page could not be found", "The page you are looking for doesn't exist.", "Nothing found",
		"This page is no longer available", "Oops! That page can’t be found.", "Sorry, the page was not found", "Nicht gefunden", "Diese Seite gibt es nicht", "Die angeforderte Seite wurde nicht gefunden", "Cette page n'existe plus", "Page introuvable",
		"La página solicitada no existe", "Esta página não existe", "La pagina richiesta non esiste", "Deze pagina bestaat niet", "Запрашиваемая страница не найдена", "Сторінку не знайдено", "Ta strona nie istnieje", "Stránka nenalezena", "Sidan kunde inte hittas", "Siden findes ikke", "Siden ble ikke funnet",
		"Sivua ei löytynyt", "Az oldal nem található", "Pagina nu a fost găsită", "Aradığınız sayfa bulunamadı", "Η σελίδα δεν βρέθηκε", "您访问的页面不存在", "抱歉，页面未找到", "找不到您要的页面", "ページが存在しません", "指定されたページは存在しません", "요청하신 페이지를 찾을 수 없습니다", "Không tìm thấy trang", "Halaman tidak ditemukan", "الصفحة غير موجودة", "הדף לא נמצא", "ไม่พบหน้าที่คุณต้องการ"} {
		for _, whole := range []string{title, title + " | Docs", "Docs – " + title} {
			if !SaysNotFound(&htmlpage.Page{Title: whole, Short: "…"}, nil, at) {
				t.Errorf("%q is not known", whole)
			}
		}
	}
	for _, title := range []string{"Finding files", "A page of its own", "Documents that exist", "Lost and found", "Object model", "The page cache", "Oopsla", "Sorry state of tea", "Seiten gestalten", "Pages", "Page objects", "Resource limits", "No page breaks"} {
		if SaysNotFound(&htmlpage.Page{Title: title, Short: "…"}, nil, at) {
			t.Errorf("%q is taken for an error", title)
		}
	}
	for p, want := range map[string]bool{"/404": true, "/a/404.html": true, "/not-found/": true, "/page_not_found": true, "/error.aspx": true, "/errors": false, "/error-codes": false, "/": false, "/40": false} {
		if IsErrorPath(p) != want {
			t.Errorf("%s: %v", p, !want)
		}
	}
}

func TestWithoutWord_Word_IsTakenOutWhereItStandsAlone(t *testing.T) {
	for _, c := range [][3]string{
		{"old guide", "guide", "old "}, {"Guide to guides", "guide", " to guides"}, {"GUIDE, guide.", "guide", ", ."}, {"guideguide", "guide", "guideguide"},
		{"reguide guide2 2guide", "guide", "reguide guide2 2guide"}, {"guide guide", "guide", " "}, {"a", "a", "a"}, {"", "guide", ""}, {"tea-pot", "tea", "-pot"},
		{"/docs/Älter/", "docs/älter", "//"}, {"İstanbul i", "istanbul", " i"}, {"\xff guide \xff", "guide", "\xff  \xff"}, {"茶壶 guide茶", "guide", "茶壶 guide茶"},
		{"guide", strings.Repeat("g", 201), "guide"}, {"no", "north", "no"},
	} {
		if got := withoutWord(c[0], c[1]); got != c[2] {
			t.Errorf("%q without %q is %q, want %q", c[0], c[1], got, c[2])
		}
	}
}

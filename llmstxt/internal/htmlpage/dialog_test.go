package htmlpage_test

import (
	"strings"
	"testing"
)

// A dialog of the page is no text; what an article shows or says of dialogs is.
func TestMarkdown_Dialogs_AreLeftOutOnlyIfTheyAreThePages(t *testing.T) {
	for _, dialog := range []string{
		"<div class='modal' id=docs-settings><header><p>Settings</p></header><section><p><label>Theme</label><select><option>a</select></p><p>Made by the builder.</p></section></div>",
		"<div class='modal fade' id=loginModal><div><div><h4>Sign in</h4><input type=password></div></div></div>",
		"<div class=search-modal><input type=search><ul><li>No results.</ul></div>",
		"<section class=search-results__dialog><h2>Results</h2></section>",
		"<div class='offcanvas offcanvas-end' id=preferences><h5>Preferences</h5><label><input type=checkbox> Dark</label></div>",
	} {
		if got := markdown(t, "<title>x</title><main><p>Tea.</p>"+dialog+"</main>"); got != "Tea.\n" {
			t.Errorf("%s:\n%s", dialog, got)
		}
	}
	said := "<p>" + strings.Repeat("A dialog opens above the page. ", 20) + "</p>"
	for _, part := range []string{
		"<section class=dialog-settings><h2>Settings</h2><p>A dialog has three of these.</p></section>",
		"<div class=modal-search><p>Searches among open dialogs.</p><pre>find()</pre></div>",
		"<div class='modal-login api'>" + said + "<input></div>",
		"<div class='modal show d-block' id=search><p>Find.</p><input></div>",
		"<div class='modal' id=search style='position:static; display:block'><p>Find</p><input></div>",
		"<div class='dialog login-demo'><p>Sign in</p><input></div>",
		"<div class=modal-settings><table><tr><th>size<td>of it</table></div>",
	} {
		got := strings.Join(strings.Fields(strings.NewReplacer("#", "", "`", "", "|", "", "---", "").Replace(markdown(t, "<title>x</title><main><h1>Dialogs</h1>"+part+"</main>"))), " ")
		if want := "Dialogs " + shownText(part); got != want {
			t.Errorf("%s:\n%s, want\n%s", part, got, want)
		}
	}
}

// Words for screen readers are known with a site's prefix of all class names.
func TestMarkdown_PrefixedClasses_AreKnown(t *testing.T) {
	for class, seen := range map[string]bool{"sr-only": false, "_sr-only _select-none": false, "nx-sr-only": false, "x:sr-only": false, "a tw-sr-only": false,
		"md:sr-only": true, "focus:sr-only": true, "not-sr-only": true, "focus:not-sr-only": true, "sr-onlyx": true, "lg:sr-only": true, "2xl:sr-only": true, "xs:sr-only": true, "un-sr-only": true} {
		page := "<title>x</title><main><p>Read <a href=a>the manual<span class='" + class + "'> (opens in a new tab)</span></a> first.</p></main>"
		if got := strings.Contains(markdown(t, page), "opens"); got != seen {
			t.Errorf("%s: %v in Markdown", class, got)
		}
		blocks, _ := parse(t, page).Blocks("x")
		if got := strings.Contains(texts(blocks)[0], "opens"); got != seen {
			t.Errorf("%s: %v in blocks", class, got)
		}
	}
}

// What is left out where a page is printed leads to other pages, or asks for something.
func TestService_NotPrinted_IsLeftOut(t *testing.T) {
	for _, class := range []string{"_mb-8 _flex print:_hidden", "x:flex x:print:hidden", "print:nx-hidden", "d-print-none", "hidden-print"} {
		page := "<title>Tea</title><main>" + teaPage + "<div class='" + class + "'><a href=/pots title=Pots>Pots</a><a href=/pans>Pans</a></div></main>"
		if got := markdown(t, page); !strings.HasSuffix(got, "of the kettle.\n") {
			t.Errorf("%s:\n%s", class, got)
		}
		if blocks, _ := parse(t, page).Blocks("tea"); len(blocks) != 2 {
			t.Errorf("%s: %q", class, texts(blocks))
		}
	}
	long := "<div class=print:hidden><p>" + strings.Repeat("This stands on the screen alone. ", 12) + "</p></div>"
	if got := markdown(t, "<title>Tea</title><main>"+teaPage+long+"</main>"); !strings.Contains(got, "screen alone") {
		t.Error(got)
	}
}

package htmlpage_test

import (
	"strings"
	"testing"
)

// What a server puts into the slots of Vue's components is shown: a name stands above what it names.
func TestMarkdown_NamesInSlots_StandAboveTheirText(t *testing.T) {
	for _, slot := range []string{"#title", "v-slot:label", `slot="title"`, "#Header", `v-slot:summary=""`} {
		for _, part := range []string{"x-tab", "doc-panel"} {
			one := "<" + part + " id=a><template " + slot + ">With <b>npm</b> &amp; co</template><p>Install it from there.</p></" + part + ">"
			two := "<" + part + "><template " + slot + ">\n yarn \n</template><pre>yarn add</pre></" + part + ">"
			page := "<title>Tea</title><main><h1>Tea</h1><x-tabs>" + one + two + "</x-tabs></main>"
			want := "# Tea\n\n**With npm & co**\n\nInstall it from there.\n\n**yarn**\n\n```\nyarn add\n```\n"
			if got := markdown(t, page); got != want {
				t.Errorf("%s: %q, want %q", slot, got, want)
			}
		}
	}
}

func TestTemplates_Slots_ShowWhatIsThere(t *testing.T) {
	const text = "Tea is hot when it comes out of the kettle."
	for attrs, shown := range map[string]bool{
		"#default": true, "v-slot": true, "v-slot:content": true, `slot="contents"`: true, "shadowrootmode=open": true,
		"": false, "#item": false, `#default="{ row }"`: false, `v-slot:content="row"`: false, `slot="dialog"`: false, "id=content": false, "#": false,
		`#title="{ tab }"`: false,
	} {
		page := "<title>Pots</title><main><h1>Pots</h1><p>Pots hold it all.</p><x-y><template " + attrs + "><p>" + text + "</p></template></x-y></main>"
		if got := strings.Contains(markdown(t, page), text); got != shown {
			t.Errorf("%s: %v in Markdown", attrs, got)
		}
		blocks, _ := parse(t, page).Blocks("x")
		if got := strings.Contains(strings.Join(texts(blocks), " "), text); got != shown {
			t.Errorf("%s: %v in blocks", attrs, got)
		}
	}
	// A row or a whole text in a slot for a name is no name.
	page := "<title>Pots</title><main><h1>Pots</h1><x-y><template #title><p>" + text + "</p><pre>x</pre></template></x-y><p>Pots hold it all.</p></main>"
	if got := markdown(t, page); got != "# Pots\n\nPots hold it all.\n" {
		t.Errorf("a text in place of a name: %q", got)
	}
}

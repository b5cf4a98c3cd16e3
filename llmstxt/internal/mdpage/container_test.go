package mdpage_test

import (
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/mdpage"
)

func whole(t testing.TB, text string) string {
	t.Helper()
	out, _, err := mdpage.Whole(t.Context(), []byte(text), true, 10000, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestWhole_Container_HasItsTitle(t *testing.T) {
	for line, want := range map[string]string{
		"::: danger STOP": "STOP", "::: details Click me": "Click me", ":::tip[Good to know]": "Good to know", "::::tab npm": "npm", ":::note[]": "Note",
		`:::note{title="Mind the lid"}`: "Mind the lid", `::: {.callout-tip title='Lids' collapse="true"}`: "Lids", "::: tip Lids {#lids .wide}": "Lids", ":::warning Größe zählt": "Größe zählt",
		"::: tip": "Tip", ":::NOTE": "Note", "::: {.callout-warning}": "Warning", ":::info{.wide}": "Info",
		":::{note} Good to know": "Good to know", "::::{admonition} Mind the *lid*": "Mind the *lid*", ":::{dropdown} More {#more}": "More", ":::{tab-item} npm": "npm", ":::{prf:theorem} Of Tea": "Of Tea",
		":::{tip}": "Tip", ":::{Warning}": "Warning", ":::{seealso}": "See also", ":::{admonition}": "", ":::{figure} pots/lid.png": "", ":::{code-block} python": "", ":::{tab-set}": "", ":::{grid} 1 2 2 3": "",
		":::{versionadded} 2.0": "Added in version 2.0", ":::{deprecated} 1.2 Use *boil* instead.": "Deprecated since version 1.2: Use *boil* instead.", ":::{versionchanged}": "",
		":::{note}Mind the lid": "Mind the lid", ":::{admonition} x=1 boils": "x=1 boils", ":::{tip}{.wide}": "Tip", ":::{figure-md} fig-lid": "",
		":::{py:function} boil(lid, *pots, **hot)": "`boil(lid, *pots, **hot)`", "::::{function} boil(lid)": "`boil(lid)`", ":::{class} wide": "", ":::{cpp:class} tea::Pot": "`tea::Pot`", ":::{py:module} pot": "",
		"::: code-group": "", "::: {.column width=\"50%\"}": "", "::: tabs#fruits": "", "::: slot header": "", "::: tip **Mind** the lid": "Mind the lid", "::: grid cols=2": "", "::: v-pre": "", "::: {#lids}": "", ":::": "", "::: tabs": "",
	} {
		if want != "" {
			want = "**" + want + "**\n\n"
		}
		if got := whole(t, "# Tea\nFirst.\n"+line+"\nThe text of the block.\n:::\nLast.\n"); strings.ReplaceAll(got, "\n\n", "\n") != strings.ReplaceAll("# Tea\nFirst.\n"+want+"The text of the block.\nLast.\n", "\n\n", "\n") || want != "" && !strings.Contains(got, "First.\n\n"+want) {
			t.Errorf("%q reads %q", line, got)
		}
	}
	const code = "```md\n::: tip Lids\n:::\n```\n"
	if got := whole(t, code); got != code {
		t.Errorf("code reads %q", got)
	}
	for _, sample := range []string{"Write:\n\n    ::: tip Lids\n    Close it.\n    :::\n", "Write:\n\n\t:::python\n\tboil()\n"} {
		if got := whole(t, sample); got != sample {
			t.Errorf("an indented sample reads %q, not %q", got, sample)
		}
	}
	if got := parse(t, "Boil it {#boil}\n=======\n\nWords.\n", true).Title; got != "Boil it" {
		t.Errorf("an underlined title is %q", got)
	}
	if got, want := whole(t, "- Boil:\n\n  ::: tip Lids\n  Close it.\n  :::\n"), "- Boil:\n\n  **Lids**\n\n  Close it.\n"; got != want {
		t.Errorf("in an item %q, want %q", got, want)
	}
}

func TestHeading_Attributes_AreNoPartOfIt(t *testing.T) {
	for in, want := range map[string]string{
		"Boil it {#boil}": "Boil it", "Boil it {#boil-it .short}": "Boil it", "Boil it{: #boil }": "Boil it", "Boil it {.short}": "Boil it",
		"Maße {#maße}": "Maße", "安装{#安装}": "安装", "Loops {#if ...}": "Loops {#if ...}", `The macro \emph{#1}`: `The macro \emph{#1}`, `Sums $x^{#1}`: `Sums $x^{#1}`, `Opts \pot[big]{#2}`: `Opts \pot[big]{#2}`,
		"{#if}": "{#if}", "Blocks {#each list as x}": "Blocks {#each list as x}", "Sets {a, b}": "Sets {a, b}", "GET /users/{id}": "GET /users/{id}",
	} {
		if got := parse(t, "# "+in+"\n", true).Title; got != want {
			t.Errorf("title of %q is %q", in, got)
		}
		if got := whole(t, "## "+in+"\n\nWords {#boil}\n"); got != "## "+want+"\n\nWords {#boil}\n" {
			t.Errorf("%q reads %q", in, got)
		}
	}
}

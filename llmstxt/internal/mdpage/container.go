package mdpage

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Containers are blocks between two lines of colons, which generators make note boxes, tabs and
// folded texts of. What the first line says stands above the block in the page:
//
//	::: tip Good to know        :::tip[Good to know]        ::: {.callout-tip title="Good to know"}
//	:::{tip} Good to know
//
// Without a title a note has the name of its kind.

// isContainer reports a line that opens or closes a container.
func isContainer(text string) bool {
	if !strings.HasPrefix(text, ":::") {
		return false
	}
	name := strings.TrimLeft(text, ": {.#")
	return name == "" || plain.IsLetter(name[0])
}

// containerTitle is what a page shows above the container that a line opens, "" for nothing.
func containerTitle(text string) string {
	kind := strings.TrimLeft(text, ": ")
	title := ""
	if m := titleField.FindStringSubmatch(kind); m != nil {
		title = m[1] + m[2]
	}
	if m := directive.FindStringSubmatch(kind); m != nil {
		if kind = m[1]; untitled[strings.ToLower(kind)] {
			return ""
		}
		if said := directiveText(strings.ToLower(kind), strings.TrimSpace(m[2])); said != "" {
			return said
		}
		if title = strings.TrimSpace(strings.ReplaceAll(attributes.ReplaceAllString(m[2], ""), "**", "")); strings.HasPrefix(title, "{") {
			title = ""
		}
	} else if strings.HasPrefix(kind, "{") {
		kind = strings.TrimPrefix(firstClass.FindString(kind), ".")
	}
	end := strings.IndexFunc(kind, func(r rune) bool { return !isWord(r) && r != '-' })
	if end < 0 {
		end = len(kind)
	}
	if title == "" && kind[:end] != "slot" { // which names a place
		title = titleBehind(kind[end:])
	}
	if kind = strings.ToLower(strings.TrimPrefix(kind[:end], "callout-")); title == "" && kind == "seealso" {
		return "See also"
	} else if title == "" && notes[kind] {
		return strings.ToUpper(kind[:1]) + kind[1:]
	}
	return title
}

// directiveText is what a page shows of what stands behind the name of a directive that is about a version
// or describes a part of a program; "" for others.
func directiveText(name, argument string) string {
	if argument == "" {
		return ""
	}
	if words := versions[name]; words != "" {
		version, text, _ := strings.Cut(argument, " ")
		if text != "" {
			version += ": " + strings.ReplaceAll(text, "**", "")
		}
		return words + version
	}
	if i := strings.IndexByte(name, ':'); described[name[i+1:]] && (i >= 0 || name == "function") && !strings.Contains(argument, "`") {
		return "`" + argument + "`"
	}
	return ""
}

// versions are the directives about versions, with the words that Sphinx has for them.
var versions = map[string]string{"versionadded": "Added in version ", "versionchanged": "Changed in version ", "versionremoved": "Removed in version ", "deprecated": "Deprecated since version "}

// described are parts of programs that directives of Sphinx's domains describe, such as py:method.
var described = plain.Set(`function class method staticmethod classmethod attribute property data exception decorator macro struct type enum var member namespace option`)

// titleBehind is the title that follows the kind of a container: "[Good to know]", " Good to know".
// Attributes, and options such as "cols=2", are not a title.
func titleBehind(rest string) string {
	title := ""
	if inner, ok := strings.CutPrefix(rest, "["); ok {
		if i := strings.LastIndexByte(inner, ']'); i >= 0 {
			title = inner[:i]
		}
	} else if strings.HasPrefix(rest, " ") {
		title = attributes.ReplaceAllString(rest, "")
	}
	title = strings.TrimSpace(strings.ReplaceAll(title, "**", "")) // all of it is bold
	first, _, _ := strings.Cut(title, " ")
	if strings.HasPrefix(title, "{") || strings.Contains(first, "=") || !strings.ContainsFunc(title, isWord) {
		return ""
	}
	return title
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// notes are kinds of containers that a page shows with their name.
var notes = plain.Set(`note tip info warning danger caution important attention hint success error question example abstract details`)

// untitled are directives of MyST behind whose name stands something else: a file, a language, a number.
var untitled = plain.Set(`figure figure-md image code code-block code-cell sourcecode include literalinclude embed iframe video youtube raw eval-rst math toctree contents
	grid grid-item div span container hlist only index list-of bibliography button-link button-ref class module py:module autosummary autofunction autoclass automodule currentmodule mermaid`)

var (
	// directive matches one of MyST and what stands behind it.
	directive  = regexp.MustCompile(`^\{([A-Za-z][\w:+-]*)\}(.*)$`)
	titleField = regexp.MustCompile(`\{[^{}]*\b(?:title|label)=(?:"([^"]*)"|'([^']*)')[^{}]*\}`)
	firstClass = regexp.MustCompile(`\.[A-Za-z][\w-]*`)
	attributes = regexp.MustCompile(`[ \t]*\{:?[ \t]*[#.][\pL\pN_][\pL\pN_:.-]*(?:[ \t]+(?:[#.][\pL\pN_][\pL\pN_:.-]*|[\w-]+=\S+))*[ \t]*\}$`)
	// argument matches what stands before the braces of an argument of LaTeX: "\emph{#1}", "x_{.5}".
	argument = regexp.MustCompile(`\\[A-Za-z]+\*?(?:\[[^][]*\])?$|[_^}\]$\\]$`)
)

// withoutAttributes takes the id and the classes off a heading: "Boil it {#boil .short}". What is
// nothing else is a heading about them: "{#if}".
func withoutAttributes(heading string) string {
	if strings.HasSuffix(heading, "}") {
		short := attributes.ReplaceAllString(heading, "")
		if strings.HasPrefix(heading[len(short):], "{") && argument.MatchString(short) {
			return heading
		}
		if strings.Trim(short, "# \t") != "" {
			return short
		}
	}
	return heading
}

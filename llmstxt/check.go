package llmstxt

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/farwire/farwire/internal/fault"
)

// Checking a file that somebody else may have written. Unlike Parse, Check goes
// on behind what is wrong and names the line of each problem.

// A Problem is what is wrong with a file, or with a link in it.
type Problem struct {
	Line int    `json:"line"` // from 1; 0: the file as a whole
	Text string `json:"text"` // for people
}

// A Link is a page in a file.
type Link struct {
	Line  int    `json:"line"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

// Check reads a file, detects its layout, and returns its links and problems. A
// valid file is UTF-8 and has one H1 at the beginning, a summary (in the Pages
// layout the base URL), sections of different names that are lists of links (in
// the Pages layout a page each), and at least one link (the note "Start page:
// URL" of an index is one). Each link has an absolute http or https URL that no
// other has, a title and a note. CheckLinks checks whether the links answer. It
// takes time in proportion to the text.
func Check(text string) (layout Layout, links []Link, problems []Problem) {
	c := &checker{seen: map[string]int{}, named: map[string]int{}}
	if other := otherFile(text); other != "" {
		return Index, nil, []Problem{{0, other}}
	}
	if !utf8.ValidString(text) {
		c.wrong(0, "the file is not UTF-8")
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\uFEFF"), "\r\n", "\n")
	lines := strings.Split(text, "\n")
	body := c.head(lines)
	layout = layoutOf(lines[body:])
	if layout == Pages {
		c.pages(lines, body)
	} else {
		c.index(lines, body)
	}
	switch {
	case len(c.links) > 0:
	case c.early > 0:
		c.wrong(c.early, "the link stands in no section, and no section has one; a section begins with ## name")
	default:
		c.wrong(0, "the file has no link")
	}
	return layout, c.links, c.problems
}

// otherFile says what else a file is whose lines say nothing; "" for a text.
func otherFile(text string) string {
	text = strings.TrimLeft(strings.TrimPrefix(text, "\uFEFF"), " \t\r\n")
	begin := strings.ToLower(text[:min(len(text), 1<<10)])
	switch {
	case begin == "":
		return "the file is empty"
	case strings.HasPrefix(begin, "<!doctype html") || strings.HasPrefix(begin, "<html"):
		return "the file is an HTML page, not an llms.txt"
	case strings.Contains(text, "\x00"):
		return "the file is not UTF-8"
	case fullTextHead.MatchString(begin):
		return "the file is an llms-full.txt, not an llms.txt"
	}
	return ""
}

// fullTextHead is how a file of whole texts begins, as textfiles.go writes it.
var fullTextHead = regexp.MustCompile(`^# [^\n]*\n\s*source: https?://`)

type checker struct {
	links    []Link
	problems []Problem
	seen     map[string]int // the line of each URL, as sameAddress has it
	named    map[string]int // the line of each section
	titled   bool           // there was an H1
	early    int            // the line of the first link before all sections
}

func (c *checker) wrong(line int, format string, args ...any) {
	c.problems = append(c.problems, Problem{line, fmt.Sprintf(format, args...)})
}

// head reads the H1 and the summary, and returns where the rest begins.
func (c *checker) head(lines []string) (next int) {
	i := skipBlank(lines, 0)
	if _, ok := heading(at(lines, i), 1); !ok {
		c.wrong(min(i+1, len(lines)), "the file does not begin with an H1 (# title)")
		i = lateTitle(lines, i)
	}
	if title, ok := heading(at(lines, i), 1); ok {
		c.titled = true
		if title == "" {
			c.wrong(i+1, "the H1 has no title")
		}
		i++
	}
	i = skipBlank(lines, i)
	summary := false
	for ; strings.HasPrefix(at(lines, i), ">"); i++ {
		summary = summary || strings.TrimSpace(strings.TrimPrefix(lines[i], ">")) != ""
	}
	if !summary {
		c.wrong(min(i+1, len(lines)), "there is no summary (> text) behind the H1")
	}
	return min(i, len(lines))
}

// lateTitle is the first H1 behind other text, before all sections; else where that begins.
func lateTitle(lines []string, from int) int {
	var code codeBlock
	for i := from; i < len(lines); i++ {
		if code.in(lines[i]) {
			continue
		}
		if _, ok := heading(lines[i], 1); ok {
			return i
		}
		if _, ok := heading(lines[i], 2); ok {
			break
		}
	}
	return from
}

// layoutOf tells the layouts apart by what stands behind the first H2.
func layoutOf(lines []string) Layout {
	var code codeBlock
	for i, line := range lines {
		if code.in(line) {
			continue
		}
		if _, ok := heading(line, 2); !ok {
			continue
		}
		if strings.HasPrefix(at(lines, skipBlank(lines, i+1)), ">") {
			return Pages
		}
		return Index
	}
	return Index
}

// item is a link with its note. Brackets are for the messages: they are allowed in no title.
var item = regexp.MustCompile(`^[-*+][ \t]+\[(.*?)\]\((\S*?)\)[ \t]*(?::[ \t]*(.*))?$`)

const notALink = "this is not a link of the form - [title](url): note"

// index reads sections that are lists of links.
func (c *checker) index(lines []string, from int) {
	section, items := 0, 0
	var code codeBlock
	end := func() {
		if section > 0 && items == 0 {
			c.wrong(section, "the section has no link")
		}
	}
	for i := from; i < len(lines); i++ {
		line := strings.TrimRight(lines[i], " \t")
		if within := code.open; code.in(line) {
			if section > 0 && within == "" {
				c.wrong(i+1, notALink)
			}
			if within == "" {
				code.line = i + 1
			}
			continue
		}
		name, two := heading(line, 2)
		switch {
		case line == "":
		case two:
			end()
			section, items = i+1, 0
			switch first := c.named[name]; {
			case name == "":
				c.wrong(i+1, "the section has no name")
			case first > 0: // the reference parser forgets the links of the first one
				c.wrong(i+1, "the section %s begins in line %d already", fault.Clip(name), first)
			default:
				c.named[name] = i + 1
			}
		case strings.HasPrefix(line, "# "):
			c.title(i + 1)
		case strings.HasPrefix(line, "###"):
			c.wrong(i+1, "there is a heading below H2")
		case section == 0: // whatever else there is to say
			if address, ok := strings.CutPrefix(line, startPage); ok {
				c.link(i+1, "Start page", address, "start page")
			}
			if c.early == 0 && item.MatchString(line) {
				c.early = i + 1
			}
		default:
			m := item.FindStringSubmatch(line)
			if m == nil || strings.Contains(m[1], "](") {
				c.wrong(i+1, notALink)
				continue
			}
			items++
			c.link(i+1, m[1], m[2], m[3])
			// The grammar's reference parser knows no escapes.
			if strings.ContainsAny(m[1], "[]") {
				c.wrong(i+1, "the title has square brackets")
			}
			if strings.ContainsAny(m[2], "()") {
				c.wrong(i+1, "the address has parentheses; write %%28 and %%29")
			}
		}
	}
	if end(); code.open != "" {
		c.wrong(code.line, "the block of code has no end")
	}
}

// title takes an H1 behind the file's beginning.
func (c *checker) title(line int) {
	if c.titled {
		c.wrong(line, "there is a second H1")
	}
	c.titled = true
}

// codeBlock follows fenced blocks of code.
type codeBlock struct {
	open string // the fence of the one that is open
	line int    // where that begins
}

// in reports a line of a block, its fences included.
func (b *codeBlock) in(line string) bool {
	line = strings.TrimSpace(line)
	if b.open == "" {
		for _, fence := range []string{"```", "~~~"} {
			if rest := strings.TrimLeft(line, fence[:1]); strings.HasPrefix(line, fence) && !strings.Contains(rest, "`") {
				b.open = line[:len(line)-len(rest)]
			}
		}
		return b.open != ""
	}
	if strings.HasPrefix(line, b.open) && strings.Trim(line, b.open[:1]) == "" {
		b.open = ""
	}
	return true
}

// pages reads pages with their address and their excerpt.
func (c *checker) pages(lines []string, from int) {
	for i := from; i < len(lines); i++ {
		line := strings.TrimRight(lines[i], " \t")
		title, ok := heading(line, 2)
		switch {
		case line == "":
			continue
		case strings.HasPrefix(line, "# "):
			c.title(i + 1)
			continue
		case !ok:
			c.wrong(i+1, "this belongs to no page; a page begins with ## title")
			continue
		}
		j := skipBlank(lines, i+1)
		address, quoted := strings.CutPrefix(at(lines, j), "> ")
		if !quoted {
			c.wrong(i+1, "the page has no address (> url)")
			continue
		}
		note := false
		for i = j + 1; i < len(lines) && !strings.HasPrefix(lines[i], "#"); i++ {
			note = note || strings.TrimSpace(lines[i]) != ""
			if strings.HasPrefix(lines[i], ">") {
				c.wrong(i+1, "a line of an excerpt begins with >")
			}
		}
		i--
		text := ""
		if note {
			text = "excerpt"
		}
		c.link(j+1, title, strings.TrimSpace(address), text)
	}
}

func (c *checker) link(line int, title, address, note string) {
	c.links = append(c.links, Link{line, title, address})
	u, err := url.Parse(address)
	same := address
	if err == nil {
		same = sameAddress(u)
	}
	switch {
	case strings.TrimSpace(title) == "":
		c.wrong(line, "the link has no title")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		c.wrong(line, "%q is not an absolute http or https URL", fault.Clip(address))
	case c.seen[same] > 0:
		c.wrong(line, "%s stands in line %d already", fault.Clip(address), c.seen[same])
	case strings.TrimSpace(note) == "":
		c.wrong(line, "the link has no note")
	}
	if c.seen[same] == 0 {
		c.seen[same] = line
	}
}

// sameAddress is the same for URLs that differ in nothing but their spelling (RFC 3986,
// 6.2.2 and 6.2.3). What stands behind # is another part of the page, and counts.
func sameAddress(u *url.URL) string {
	same := *u
	same.Scheme, same.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if port := u.Port(); same.Scheme == "http" && port == "80" || same.Scheme == "https" && port == "443" {
		same.Host = strings.TrimSuffix(same.Host, ":"+port)
	}
	if same.Path == "" {
		same.Path = "/"
	}
	return same.String()
}

// heading returns the text of a heading of this level.
func heading(line string, level int) (text string, ok bool) {
	mark := strings.Repeat("#", level)
	rest, ok := strings.CutPrefix(line, mark)
	if !ok || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return "", false
	}
	return strings.TrimSpace(rest), true
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

func skipBlank(lines []string, i int) int {
	for i < len(lines) && strings.TrimSpace(lines[i]) == "" {
		i++
	}
	return i
}

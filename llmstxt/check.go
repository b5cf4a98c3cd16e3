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

// Check reads a file in either layout, which it finds out, and returns its links
// and what is wrong with it: it wants UTF-8, one H1 at the beginning, a summary
// (in the Pages layout the base URL), sections that are lists of links (in the
// Pages layout a page each), at least one link (the note "Start page: URL" of an index is one), and of each link an absolute
// http or https URL that no other has, a title and a note. Whether the links
// answer is for CheckLinks to ask. It takes time in proportion to the text.
func Check(text string) (layout Layout, links []Link, problems []Problem) {
	c := &checker{seen: map[string]int{}}
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
	if len(c.links) == 0 {
		c.wrong(0, "the file has no link")
	}
	return layout, c.links, c.problems
}

type checker struct {
	links    []Link
	problems []Problem
	seen     map[string]int // the line of each URL
}

func (c *checker) wrong(line int, format string, args ...any) {
	c.problems = append(c.problems, Problem{line, fmt.Sprintf(format, args...)})
}

// head reads the H1 and the summary, and returns where the rest begins.
func (c *checker) head(lines []string) (next int) {
	i := skipBlank(lines, 0)
	switch title, ok := heading(at(lines, i), 1); {
	case !ok:
		c.wrong(min(i+1, len(lines)), "the file does not begin with an H1 (# title)")
	case title == "":
		c.wrong(i+1, "the H1 has no title")
		i++
	default:
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

// layoutOf tells the layouts apart by what stands behind the first H2.
func layoutOf(lines []string) Layout {
	for i, line := range lines {
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

var item = regexp.MustCompile(`^[-*+][ \t]+\[([^\]]*)\]\((\S*?)\)[ \t]*(?::[ \t]*(.*))?$`)

// index reads sections that are lists of links.
func (c *checker) index(lines []string, from int) {
	section, items, fenced := 0, 0, false
	end := func() {
		if section > 0 && items == 0 {
			c.wrong(section, "the section has no link")
		}
	}
	for i := from; i < len(lines); i++ {
		line := strings.TrimRight(lines[i], " \t")
		if section == 0 && strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		name, two := heading(line, 2)
		switch {
		case line == "", fenced:
		case two:
			end()
			section, items = i+1, 0
			if name == "" {
				c.wrong(i+1, "the section has no name")
			}
		case strings.HasPrefix(line, "# "):
			c.wrong(i+1, "there is a second H1")
		case strings.HasPrefix(line, "###"):
			c.wrong(i+1, "there is a heading below H2")
		case section == 0: // whatever else there is to say
			if address, ok := strings.CutPrefix(line, startPage); ok {
				c.link(i+1, "Start page", address, "start page")
			}
		default:
			m := item.FindStringSubmatch(line)
			if m == nil {
				c.wrong(i+1, "this is not a link of the form - [title](url): note")
				continue
			}
			items++
			c.link(i+1, m[1], m[2], m[3])
		}
	}
	end()
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
			c.wrong(i+1, "there is a second H1")
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
	switch {
	case strings.TrimSpace(title) == "":
		c.wrong(line, "the link has no title")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		c.wrong(line, "%q is not an absolute http or https URL", fault.Clip(address))
	case c.seen[address] > 0:
		c.wrong(line, "%s stands in line %d already", fault.Clip(address), c.seen[address])
	case strings.TrimSpace(note) == "":
		c.wrong(line, "the link has no note")
	}
	if c.seen[address] == 0 {
		c.seen[address] = line
	}
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

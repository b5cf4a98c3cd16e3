package weburl

import (
	"iter"
	"net/url"
	"path"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Tools of a site: addresses at which a page is edited, compared, printed or talked
// about, and not read. Wikis, forums and shops have several for each of their pages.

// IsTool reports whether an address is one that a site's software uses for work on its pages: by a
// parameter that has no other use, by what is to be done, or by a wiki's namespace.
func IsTool(u *url.URL) bool {
	if strings.HasPrefix(u.Path, "/cdn-cgi/") {
		return true // Cloudflare's own, such as the address of an e-mail address
	}
	for seg := range strings.SplitSeq(u.Path, "/") {
		if special(seg) {
			return true
		}
	}
	if ofSoftware(u) {
		return true
	}
	for part := range fields(u.RawQuery) {
		name, value, _ := strings.Cut(part, "=")
		name = strings.ToLower(name)
		switch {
		case toolFields[name]:
			return true
		case (name == "view" || name == "format" || name == "layout") && (value == "print" || value == "printable"):
			return true
		case (name == "action" || name == "do" || name == "mode") && (toolActions[strings.ToLower(value)] || strings.HasPrefix(value, "export_")):
			return true
		case name == "option" && (value == "com_users" || value == "com_mailto"):
			return true // Joomla's
		case name == "view" && (value == "next" || value == "previous" || value == "unread") && path.Base(u.Path) == "viewtopic.php":
			return true // leads to another topic
		case name == "title":
			if t, err := url.QueryUnescape(value); err == nil && special(t) {
				return true
			}
		}
	}
	return toolFiles[path.Base(u.Path)]
}

// fields are the parameters of a query, between which SMF has a ";".
func fields(query string) iter.Seq[string] {
	return strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' })
}

// toolFields are parameters of MediaWiki, WordPress, WooCommerce, Joomla and phpBB.
var toolFields = plain.Set(`oldid veaction redlink printable replytocom add-to-cart add_to_wishlist remove_item print printview printer_friendly unapproved moderation-hash`)

// toolActions are values of the action of MediaWiki, MoinMoin and Gitea's wikis, of DokuWiki's do,
// and of phpBB's mode.
var toolActions = plain.Set(`edit submit history info raw render delete protect unprotect watch unwatch purge rollback markpatrolled
	credits revert diff revisions recent media backlink login logout register resendpwd profile print printable export_pdf export_raw
	attachfile subscribe unsubscribe sendpassword viewonline viewprofile reply quote post newtopic createaccount editsource delete_cookies
	_edit _new _revision _delete likepages localsitemap renderasdocbook packagepages spellcheck deletepage renamepage copypage`)

// toolFiles are scripts of WordPress, phpBB, vBulletin, Plone and Confluence that never have a page's
// content.
var toolFiles = plain.Set(`wp-login.php xmlrpc.php ucp.php mcp.php posting.php viewonline.php memberlist.php wp-comments-post.php cron.php
	newreply.php newthread.php usercp.php printthread.php
	editpage.action createpage.action copypage.action movepage.action removepage.action viewpreviousversions.action diffpages.action
	diffpagesbyversion.action viewinfo.action viewpageattachments.action viewpagesrc.action viewsource.action pdfpageexport.action
	sendto_form mail_password_form exportword login.action logout.action signup.action dosearchsite.action browsepeople.action`)

// special reports the name of a page in one of MediaWiki's namespaces for tools and for
// talk, in the language of the wiki: "Special:Recent changes", "User talk:Ann".
func special(name string) bool {
	space, rest, ok := strings.Cut(name, ":")
	if !ok || rest == "" {
		return false
	}
	space = strings.ToLower(strings.ReplaceAll(space, "_", " "))
	return toolSpaces[strings.ReplaceAll(space, " ", "")] || strings.HasSuffix(space, " talk") || strings.HasPrefix(space, "обсуждение ") ||
		strings.HasSuffix(space, " diskussion") || strings.HasPrefix(space, "discussion ") || strings.HasPrefix(space, "discusión ")
}

// toolSpaces are the names of the namespaces -1 and 1 in MediaWiki's translations.
var toolSpaces = plain.Set(`special talk spezial diskussion spécial discussion especial discusión discussão speciale discussione speciaal overleg
	specjalna dyskusja служебная обсуждение спеціальна обговорення 特別 ノート 特殊 讨论 討論 특수 토론 خاص نقاش ویژه بحث מיוחד שיחה
	विशेष वार्ता özel tartışma đặcbiệt thảoluận speciální diskuse speciel spesial diskusjon toiminnot keskustelu speciális vita
	discuție istimewa pembicaraan ειδικό συζήτηση พิเศษ พูดคุย специални беседа посебно разговор špeciálne diskusia posebno razgovor
	discussió`)

// Arranges reports an address, as a page has it, that shows a page's list in another order, in
// other portions or with other prices: one field of its query is for nothing else.
func Arranges(ref string) bool {
	ref, _, _ = strings.Cut(ref, "#")
	_, query, _ := strings.Cut(ref, "?")
	for f := range fields(query) {
		name, _, _ := strings.Cut(strings.ToLower(f), "=")
		last := name[strings.LastIndexAny(name, "_-[.")+1:]
		if arranging[withoutDashes.Replace(name)] || arranging[strings.TrimSuffix(last, "]")] {
			return true
		}
	}
	return false
}

var arranging = plain.Set(`sort sortby sortorder sortfield sortdir sorting order orderby orderdir ordering orderway dir direction limit perpage pagesize currency`)

package weburl

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Acts: links that do something when they are followed, if whoever follows them is logged in.
// They should be forms, and often are not.

// EndsSession reports an address at which a site ends the session of whoever asks for it.
func EndsSession(u *url.URL) bool {
	segments, static := words(u)
	for i, s := range segments {
		if signsOut[s] && (i == 0 || !commandFolders[segments[i-1]]) && !(static && explains(segments[:i])) {
			return true
		}
	}
	return anyField(u, func(name, value string) bool {
		return signsOut[value] || signsOut[name] && value != "0" && value != "false"
	})
}

// Deletes reports an address at which a site deletes something or ends a subscription, as far
// as that tells: the word at the end of a path may be about a command as well, /api/users/delete.
func Deletes(u *url.URL) bool {
	segments, static := words(u)
	n := len(segments)
	for i := max(0, n-2); i < n && !static; i++ {
		if !deletes[segments[i]] || i < n-1 && !isID(segments[n-1]) {
			continue
		}
		if u.RawQuery != "" || programEndings[strings.ToLower(path.Ext(u.Path))] || !explains(segments[:i]) ||
			slices.ContainsFunc(segments, isID) && !(i == n-1 && isStatement(segments)) {
			return true
		}
	}
	return anyField(u, func(name, value string) bool {
		return deletes[name] && value != "0" && value != "false" || deletes[value] && whatToDo[name]
	})
}

// IsOfManual reports an address, as a page has it, in a folder of a manual or of commands. What is
// behind it is no record, which somebody may work on: /docs/12.
func IsOfManual(ref string) bool {
	folders, ok := namesOf(ref)
	return ok && slices.ContainsFunc(folders[:len(folders)-1], func(s string) bool { return callFolders[s] })
}

// IsOfRecord reports an address, as a page has it, that may be that of a record or of what is done
// to one: /users/1/activate.
func IsOfRecord(ref string) bool {
	_, ok := namesOf(ref)
	return !ok
}

// namesOf are the words of an address's path, if none is a number and the last is no deed.
func namesOf(ref string) (folders []string, ok bool) {
	ref, _, _ = strings.Cut(ref, "#")
	ref, query, _ := strings.Cut(ref, "?")
	if _, rest, absolute := strings.Cut(ref, "://"); absolute {
		_, ref, _ = strings.Cut(rest, "/")
	}
	folders, _ = words(&url.URL{Path: ref})
	last := folders[len(folders)-1]
	return folders, query == "" && !signsOut[last] && !deletes[last] && !slices.ContainsFunc(folders, isID)
}

// isStatement reports the path of a page about a command in a version of a manual that is a
// number: /docs/16/sql/delete.
func isStatement(segments []string) bool {
	n := len(segments)
	if n < 4 || !statementFolders[segments[n-2]] && !commandFolders[segments[n-2]] {
		return false
	}
	for i, s := range segments {
		if isID(s) && (i == 0 || len(s) > 3 || !versionedManuals[segments[i-1]]) {
			return false
		}
	}
	return true
}

// explains reports folders of which one is that of a manual.
func explains(folders []string) bool {
	return slices.ContainsFunc(folders, func(s string) bool { return manuals[s] || commandFolders[s] })
}

// words are the segments of a path in lower case, without dashes and the ending of a file.
// static reports the ending of one that most likely does nothing.
func words(u *url.URL) (segments []string, static bool) {
	p := strings.ToLower(strings.Trim(u.Path, "/"))
	switch ext := path.Ext(p); {
	case programEndings[ext]:
		p, _, _ = strings.Cut(strings.TrimSuffix(p, ext), "!") // Jira's "Logout!default.jspa"
	case pageEndings[ext]:
		p, static = strings.TrimSuffix(p, ext), true
	}
	for s := range strings.SplitSeq(p, "/") {
		s, _, _ = strings.Cut(s, ";")
		segments = append(segments, withoutDashes.Replace(s))
	}
	return segments, static
}

// anyField reports a field of the query for which is says so of its name and of the last word
// of its value: "logout" of "route=account/logout" and of "task=user.logout".
func anyField(u *url.URL, is func(name, value string) bool) bool {
	for f := range fields(u.RawQuery) {
		name, value, _ := strings.Cut(strings.ToLower(f), "=")
		if v, err := url.QueryUnescape(value); err == nil {
			value = v
		}
		value = value[strings.LastIndexAny(value, "/.:")+1:]
		if is(withoutDashes.Replace(name), withoutDashes.Replace(value)) {
			return true
		}
	}
	return false
}

// isID reports a segment that names a record: a number, or a long word of digits and letters.
func isID(s string) bool {
	digits := 0
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			digits++
		case c < 'a' || c > 'z':
			return false
		}
	}
	return s != "" && (digits == len(s) || len(s) >= 16 && digits > 2)
}

var (
	withoutDashes  = strings.NewReplacer("-", "", "_", "")
	programEndings = plain.Set(`.php .asp .aspx .ashx .jsp .jspa .jspx .jsf .cfm .cgi .pl .do .action`)

	signsOut = plain.Set(`logout signout logoff signoff logouts dologout userlogout memberlogout logoutuser endsession closeconnection relogin
		abmelden ausloggen deconnexion déconnexion cerrarsesion uitloggen wyloguj odhlasit loggaut loggut logud`)
	deletes  = plain.Set(`delete destroy remove trash erase purge del unsubscribe deactivate revoke löschen loeschen supprimer eliminar borrar`)
	whatToDo = plain.Set(`action do op cmd act task mode method func event command`)

	// commandFolders are those of pages about commands, manuals those of pages that explain.
	commandFolders   = plain.Set(`reference commands command cli commandline subcommands man functions methods endpoints operations`)
	callFolders      = plain.Set(`reference references apireference docs doc documentation apidocs endpoints operations methods openapi swagger`)
	statementFolders = plain.Set(`sql statements statement keywords keyword verbs syntax language`)
	versionedManuals = plain.Set(`docs doc documentation manual reference`)
	manuals          = plain.Set(`docs doc documentation api manual guide guides help kb support articles blog learn tutorials sdk wiki handbook`)
)

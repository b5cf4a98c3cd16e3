package weburl

import "testing"

func TestEndsSession_AddressesOfManySystems_AreKnown(t *testing.T) {
	for p, want := range map[string]bool{
		"/logout": true, "/logout/": true, "/log-out": true, "/users/sign_out": true, "/Account/LogOff": true, "/user/logout?token=x": true, "/wp-login.php?action=logout&_wpnonce=1": true,
		"/_layouts/15/SignOut.aspx": true, "/_layouts/15/closeConnection.aspx?loginasanotheruser=true": true, "/secure/Logout!default.jspa": true, "/logout.action": true, "/ucp.php?mode=logout&sid=1": true,
		"/index.php?action=logout;b7c1=33": true, "/login.php?do=logout": true, "/index.php?route=account/logout": true, "/index.php?option=com_users&task=user.logout": true, "/?logout=1": true,
		"/login/logout.php?sesskey=1": true, "/realms/a/protocol/openid-connect/logout": true, "/oauth2/sign_out": true, "/.auth/logout": true, "/cdn-cgi/access/logout": true, "/logout;jsessionid=1": true,
		"/user/logout.html": true, "/logout/confirm": true, "/index.cgi?relogin=1": true, "/docs/logout": true, "/api/auth/signout": true,
		"/": false, "/docs/cli/logout": false, "/reference/commandline/logout/": false, "/commands/logout": false, "/docs/docker/logout.html": false, "/login": false, "/logouts-and-logins": false,
		"/guide/logging-out": false, "/?logout=0": false, "/a?next=b": false, "/blog/how-to-logout": false,
	} {
		if got := EndsSession(Parse("http://docs.test" + p)); got != want {
			t.Errorf("%s: %v", p, got)
		}
	}
}

func TestDeletes_PagesAboutIt_AreReadAllTheSame(t *testing.T) {
	for p, want := range map[string]bool{
		"/posts/5/delete": true, "/posts/delete/5": true, "/delete?id=5": true, "/posts/my-post/delete/": true, "/delete.php": true, "/item/remove.do": true, "/docs/5f2b8c1e9d3a4b6c7d8e/delete": true,
		"/unsubscribe": true, "/newsletter/unsubscribe?u=1": true, "/index.php?op=delete&id=3": true, "/list?del=3": true, "/x?_method=DELETE": true, "/api/tokens/12/revoke": true,
		"/docs/16/delete": true, "/docs/16/pages/delete": true, "/docs/123456/sql/delete": true, "/docs/16/sql/delete/5": true, "/docs/16/sql/5/delete": true, "/docs/5f2b8c1e9d3a4b6c7d8e/commands/delete": true, "/projects/16/functions/delete": true,
		"/docs/16/sql/delete?id=5": true, "/docs/16/sql/delete.php": true, "/16/docs/sql/delete": true, "/docs/16/sql/remove.do": true, "/posts/5/sql/delete": true,
		"/docs/16/sql/delete": false, "/en/docs/16/sql/delete/": false, "/documentation/9/reference/remove": false, "/manual/8/statements/delete": false, "/doc/12/cli/revoke": false, "/docs/3.12/sql/delete": false,
		"/": false, "/api/users/delete": false, "/docs/cli/remove": false, "/docs/delete.html": false, "/delete.html": false, "/reference/delete-a-user": false, "/commands/delete/": false, "/deleted": false,
		"/remove/rust": false, "/posts/5": false, "/x?deletes=0": false, "/x?delete=0": false, "/kb/delete": false, "/x?q=delete": false,
	} {
		if got := Deletes(Parse("http://docs.test" + p)); got != want {
			t.Errorf("%s: %v", p, got)
		}
	}
}

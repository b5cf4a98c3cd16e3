package weburl

import "testing"

func TestIsListing_NamesOfPages_AreNone(t *testing.T) {
	for p, want := range map[string]bool{
		"/api/org/tea/class-use/Pot.html": true, "/api/org/tea/package-use.html": true, "/api/src-html/org/tea/Pot.html": true, "/api/index-files/index-3.html": true,
		"/api/index-all.html": true, "/_modules/tea/pot.html": true, "/en/genindex.html": true, "/genindex-P.html": true, "/pot_8h_source.html": true, "/classtea_1_1_pot-members.html": true,
		"/functions_func_s.html": true, "/globals_0x7e.html": true, "/dir_68267d1309a1af8e8297ef4c3efbcdba.html": true, "/src/tea/pot.rs.html": true, "/src/Data.Tea.html": true,
		"/tea.pot-pysrc.html": true, "/lib_pot.js.html": true, "/api-index-full.html": true, "/com/tea/package-frame.html": true,
		"/api/org/tea/Pot.html": false, "/api/org/tea/package-summary.html": false, "/functions.html": false, "/globals.html": false, "/functions_io.html": false, "/next.js.html": false,
		"/src/Introduction.html": false, "/source/start.html": false, "/open_source.htm": false, "/members.html": false, "/index-a": false, "/modules/tea": false, "/": false, "/hierarchy.html": false,
		"/src/": false, "/guide/package-use": false,
		"/d1/d2f/pot_8tcc_source.html": true, "/a00042_source.html": true, "/a00042-members.html": true, "/structtea__pot-members.html": true, "/protocolTea-p-members.html": true, "/source/tea/pot.py.html": true,
		"/open_source.html": false, "/guide/data_source.html": false, "/about/board-members.html": false, "/team-members.html": false, "/class-members.html": false, "/source/pots.html": false,
	} {
		if got := IsListing(Parse("http://docs.test" + p)); got != want {
			t.Errorf("%s: %v", p, got)
		}
	}
}

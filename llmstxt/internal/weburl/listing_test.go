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
		"/api/type_Tea.html": true, "/api/type_Tea.Pot_lid.html": true, "/index_values.html": true, "/api/index_module_types.html": true, "/type_tea.html": false, "/types.html": false, "/api/type_of_tea.html": false, "/index_teas.html": false,
		"/src/": false, "/guide/package-use": false,
		"/d1/d2f/pot_8tcc_source.html": true, "/a00042_source.html": true, "/a00042-members.html": true, "/structtea__pot-members.html": true, "/protocolTea-p-members.html": true, "/source/tea/pot.py.html": true,
		"/viewtopic.php?p=12": true, "/board/viewtopic.php?f=2&t=3&p=12": true, "/showthread.php?p=12": true, "/showthread.php?tid=5&pid=12": true, "/showpost.php?p=12": true, "/index.php?topic=5.msg12": true, "/threads/tea.5/post-12": true, "/t/tea/5/12": true,
		"/viewtopic.php?t=12": false, "/viewtopic.php?f=2&t=3&start=15": false, "/showthread.php?t=12": false, "/showthread.php?tid=5": false, "/index.php?topic=5.0": false, "/index.php?p=12": false, "/?p=12": false, "/threads/tea.5/": false, "/threads/tea.5/page-2": false, "/t/tea/5": false, "/docs/post-12": false, "/a/t/5/12": false,
		"/open_source.html": false, "/guide/data_source.html": false, "/about/board-members.html": false, "/team-members.html": false, "/class-members.html": false, "/source/pots.html": false,
	} {
		if got := IsListing(Parse("http://docs.test" + p)); got != want {
			t.Errorf("%s: %v", p, got)
		}
	}
}

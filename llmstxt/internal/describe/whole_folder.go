package describe

import (
	"net/url"
	"path"
)

// setWholesAside takes the heading from a page that stands for its folder and shares title and heading with one
// other page in it. Such a page, as ESDoc makes of a manual, has the texts of all the others one after the other,
// and its heading is that of the first:
//
//	/manual/index.html     Manual    # Install  # Use  # Change
//	/manual/install.html   Manual    # Install
//	/manual/use.html       Manual    # Use
func setWholesAside(pages []Page, own []string) {
	type name struct{ folder, title, heading string }
	names := make([]name, len(pages))
	whole, count := make([]bool, len(pages)), map[name]int{}
	for i := 1; i < len(pages); i++ {
		u, err := url.Parse(pages[i].URL)
		if err != nil || own[i] == "" || pages[i].Evidence.Title == "" {
			continue
		}
		folder, file := path.Split(u.Path)
		names[i] = name{folder, pages[i].Evidence.Title, own[i]}
		count[names[i]]++
		whole[i] = file == "" || isIndex(file, pages[i].Evidence.Lang)
	}
	for i := range pages {
		if whole[i] && count[names[i]] == 2 {
			own[i] = ""
		}
	}
}

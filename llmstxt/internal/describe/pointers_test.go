package describe

import "testing"

func TestFormal_PlaceInTheSource_SaysNothing(t *testing.T) {
	for s, want := range map[string]bool{
		"Definition at line 62 of file lid.h.": true, "Definiert in Zeile 7 der Datei kettle.hpp.": true, "Définition à la ligne 12 du fichier pot.c.": true,
		"Definición en la línea 3 del archivo cup.h.": true, "Declared at line 4 in file tea.py": true,
		"The documentation for this class was generated from the following file: lid.h.":      true,
		"The documentation for this struct was generated from the following files:":           true,
		"Die Dokumentation für diese Klasse wurde erzeugt aufgrund der Datei:":                true,
		"La documentation de cette classe a été générée à partir du fichier suivant : lid.h.": true,
		"References LID, and tea::pot::lift().":                                               true, "Referenced by boil(), pour(), and wash().": true, "Reimplemented in tea::Pot.": true,
		"More...": true,

		"Defines the 12 error codes of errno.h.": false, "Declares all 3 functions of lid.h.": false, "Définit les 4 couvercles de pot.h.": false, "Definition of a lid at 3 places.": false, "Defines the lid of 2 pots in a kettle.": false, "Defined at line 62.": false,
		"The documentation for this class is short.":                    false,
		"References to a pot, such as boil(), keep it warm.":            false,
		"Referenced by most pages of this book, tea::pot is a classic.": false,
		"Implements the boiling of water, see boil().":                  false,
		"More... or less.": false,
	} {
		if formal(s) != want {
			t.Errorf("%q: %t", s, !want)
		}
	}
}

func TestSendsOn_SentenceOfABasePage_LeadsElsewhere(t *testing.T) {
	for s, want := range map[string]bool{
		"To get started see Quickstart.": true, "To get started, please read the tour of all lids.": true, "For more on lids, visit the page of pots.": true,
		"If you are new to Kettle, start with the tutorial.": true, "New to Kettle? See the tutorial.": true,
		"Use the navigation bar at the top of each page to move between sections.": true, "Please use the links on the left.": true, "Click on the tabs above.": true,

		"To boil water, Kettle needs a pot.": false, "For those who see the steam, it is late.": false, "Use the kettle to boil water.": false,
		"If it is hot, the lid opens.": false, "Kettle shows what to see in a menu.": false, "Use Kettle in the navigation of ships.": false,
		"To boil water, see these steps: fill, heat, pour.": false, "Before all: see the lid.": false, "When the pot is hot, see that the lid is open.": false,
		"Use the tabs component to show one of several pots at a time.": false, "Use the menu widget where there are more than five lids.": false,
		"Use the tabs in the header.": true, "Use the menu on the left to find a pot.": true, "Click the link below.": true, "See the links, or ask.": true,
	} {
		if sendsOn(s) != want {
			t.Errorf("%q: %t", s, !want)
		}
	}
}

func TestIsLetter_HeadingsOfAnIndex_AreTold(t *testing.T) {
	for s, want := range map[string]bool{"g": true, "G": true, "- g -": true, "- _ -": true, "Ж": true, "– é –": true, "go": false, "": false, "- -": false, "7": false, "茶": false} {
		if isLetter(s) != want {
			t.Errorf("%q: %t", s, !want)
		}
	}
}

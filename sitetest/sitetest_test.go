package sitetest_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/sitetest"
)

// faultVariable names the mistake of the store of [TestRun_MemoryStore_Passes].
const faultVariable = "FARWIRE_SITETEST_FAULT"

func TestRun_MemoryStore_Passes(t *testing.T) {
	fault := os.Getenv(faultVariable)
	sitetest.Run(t, func(*testing.T) sitetest.Open {
		store := newMemoryStore(fault)
		return func(*testing.T) farwire.SiteStore { return store }
	})
}

// Each mistake of a store fails the test of the sentence that it breaks.
func TestRun_StoreHasAFault_Fails(t *testing.T) {
	for fault, test := range map[string]string{
		"the context is ignored":                      "Context",
		"a lost lease is not waited for":              "Lost",
		"the token does not grow":                     "Tokens",
		"an old token is taken":                       "ClaimLeased",
		"most does not count":                         "TooMany",
		"an enrolment changes the secret":             "EnrollAgain",
		"an enrolment keeps the count of lost leases": "LostEnrolled",
		"a site that is asked for waits":              "LostMadeDue",
		"a resting site is claimed":                   "Rest",
		"subjects take no turns":                      "Turns",
		"the clock is another's":                      "Clock",
		"what was asked for is forgotten":             "MakeDueLeased",
		"a commit without pages loses them":           "Pages",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			name := "TestRun_MemoryStore_Passes"
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+name+"$/^"+test+"$")
			cmd.Env = append(os.Environ(), faultVariable+"="+fault)
			if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "--- FAIL: "+name+"/"+test+" ") {
				t.Errorf("%s passes: %v\n%s", test, err, out)
			}
		})
	}
}

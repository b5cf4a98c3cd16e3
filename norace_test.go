//go:build !race

package farwire_test

// raceEnabled says that the race detector is at work.
const raceEnabled = false

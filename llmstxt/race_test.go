//go:build race

package llmstxt_test

// raceDetector makes a program many times slower.
const raceDetector = true

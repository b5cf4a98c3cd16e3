//go:build !race

package llmstxt_test

const raceDetector = false

package sqlstore

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// timeLayout is how both databases are told a time, and how SQLite keeps it.
// Its texts are in the order of their times.
const timeLayout = "2006-01-02 15:04:05.000000Z"

var latest = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// stamp is the time for a column. Times beyond those that the layout has are
// the first and the last of them.
func stamp(t time.Time) string {
	switch t = t.UTC(); {
	case t.Before(time.Time{}):
		t = time.Time{}
	case t.After(latest):
		t = latest
	}
	return t.Format(timeLayout)
}

// stampOrNull is stamp for a column in which the zero time is null.
func stampOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return stamp(t)
}

// moment scans a time, null as zero.
type moment struct{ *time.Time }

func (m moment) Scan(value any) (err error) {
	switch v := value.(type) {
	case nil:
		*m.Time = time.Time{}
	case time.Time:
		*m.Time = v.UTC()
	case string:
		// People write it shorter. Parse takes a fraction where there is one.
		*m.Time, err = time.Parse(time.DateTime, strings.TrimSuffix(v, "Z"))
	default:
		err = unexpected("a time", value)
	}
	return err
}

// seconds is a duration for a column, exact to the microsecond.
func seconds(d time.Duration) float64 {
	return float64(d/time.Microsecond) / 1e6
}

// duration gives back what seconds was given, or the longest that there is.
func duration(seconds float64) time.Duration {
	const longest = math.MaxInt64 / int64(time.Microsecond)
	n := math.Round(seconds * 1e6)
	switch {
	case n >= float64(longest):
		return time.Duration(longest) * time.Microsecond
	case n <= -float64(longest):
		return -time.Duration(longest) * time.Microsecond
	}
	return time.Duration(n) * time.Microsecond
}

// span scans what seconds has written.
type span struct{ *time.Duration }

func (s span) Scan(value any) error {
	n, ok := value.(float64)
	if !ok {
		return unexpected("seconds", value)
	}
	*s.Duration = duration(n)
	return nil
}

func unexpected(what string, value any) error {
	return fmt.Errorf("a column holds a %T and not %s", value, what)
}

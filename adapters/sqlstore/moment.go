package sqlstore

import (
	"fmt"
	"math"
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
		*m.Time, err = time.Parse(timeLayout, v)
	default:
		err = unexpected("a time", value)
	}
	return err
}

// seconds is a duration for a column, exact to the microsecond.
func seconds(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)/time.Microsecond) / 1e6
}

// span scans what seconds has written.
type span struct{ *time.Duration }

func (s span) Scan(value any) error {
	switch v := value.(type) {
	case float64:
		*s.Duration = time.Duration(math.Round(v*1e6)) * time.Microsecond
	case int64:
		*s.Duration = time.Duration(v) * time.Second
	default:
		return unexpected("seconds", value)
	}
	return nil
}

func unexpected(what string, value any) error {
	return fmt.Errorf("a column holds a %T and not %s", value, what)
}

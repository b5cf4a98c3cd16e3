package amqpwire

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/farwire/farwire/internal/sse"
)

// No table nests deeper than this, so that no broker can exhaust a stack.
const maxDepth = 32

// AppendTable appends a field table (section 4.2.5.5) as a JSON object, in the
// order of the table, or reports that it cannot be read and appends nothing.
//
// Numbers of every width are JSON numbers, decimals among them, and timestamps
// are seconds. What JSON has no form for becomes text: "NaN", "Infinity",
// "-Infinity". Byte arrays, and strings that are not UTF-8, are
// {"base64": "…"}. Of fields of one name the last counts, as it does for client
// libraries: a JSON object with a name twice is refused by strict parsers.
func AppendTable(dst, table []byte) ([]byte, bool) {
	f := &cursor{p: table}
	out := appendTable(dst, f, 0)
	if f.bad {
		return dst, false
	}
	return out, true
}

// Long returns the value of a field of a table if it is a 64-bit integer.
func Long(table []byte, name string) (v int64, ok bool) {
	f := &cursor{p: table}
	for len(f.p) > 0 && !f.bad {
		if string(f.short()) == name && len(f.p) > 0 && f.p[0] == 'l' {
			f.byte()
			v, ok = int64(f.uint64()), true
			continue
		}
		f.skip()
	}
	return v, ok && !f.bad
}

func appendTable(dst []byte, f *cursor, depth int) []byte {
	twice := namedTwice(f.p)
	dst = append(dst, '{')
	for first := true; len(f.p) > 0 && !f.bad; {
		name := f.short()
		if last := twice[string(name)]; last > 0 && len(f.p) >= last { // it comes again behind
			f.skip()
			continue
		}
		if !first {
			dst = append(dst, ", "...)
		}
		first = false
		dst = sse.AppendString(dst, name)
		dst = append(dst, ": "...)
		dst = appendField(dst, f, depth+1)
	}
	return append(dst, '}')
}

// namedTwice returns, for each name that stands in a table more than once, how
// many bytes follow the name where it stands last, plus one; for others zero.
// It returns nil when no name stands there twice.
func namedTwice(table []byte) (twice map[string]int) {
	const few = 12
	var names [few][]byte
	var seen map[string]bool // of tables with more than a few fields
	f := &cursor{p: table}
	for n := 0; len(f.p) > 0 && !f.bad; n++ {
		name, again := f.short(), false
		switch {
		case n < few:
			again = slices.ContainsFunc(names[:n], func(b []byte) bool { return bytes.Equal(b, name) })
			names[n] = name
		default:
			if seen == nil {
				seen = make(map[string]bool, 2*few)
				for _, b := range names {
					seen[string(b)] = true
				}
			}
			again = seen[string(name)]
			seen[string(name)] = true
		}
		if again {
			if twice == nil {
				twice = make(map[string]int)
			}
			twice[string(name)] = len(f.p) + 1
		}
		f.skip()
	}
	return twice
}

// skip passes over one value with its type.
func (f *cursor) skip() {
	switch f.byte() {
	case 't', 'b', 'B':
		f.take(1)
	case 's', 'U', 'u':
		f.take(2)
	case 'I', 'i', 'f':
		f.take(4)
	case 'D':
		f.take(5)
	case 'l', 'L', 'T', 'd':
		f.take(8)
	case 'S', 'x', 'F', 'A':
		f.long()
	case 'V':
	default:
		f.bad = true
	}
}

// appendField knows the types that RabbitMQ reads, which are those of the
// specification's errata with B, u and i, and the two, U and L, that only the
// specification's own grammar has.
func appendField(dst []byte, f *cursor, depth int) []byte {
	if depth > maxDepth {
		f.bad = true
		return dst
	}
	switch f.byte() {
	case 't':
		return strconv.AppendBool(dst, f.byte() != 0)
	case 'b':
		return strconv.AppendInt(dst, int64(int8(f.byte())), 10)
	case 'B':
		return strconv.AppendUint(dst, uint64(f.byte()), 10)
	case 's', 'U':
		return strconv.AppendInt(dst, int64(int16(f.uint16())), 10)
	case 'u':
		return strconv.AppendUint(dst, uint64(f.uint16()), 10)
	case 'I':
		return strconv.AppendInt(dst, int64(int32(f.uint32())), 10)
	case 'i':
		return strconv.AppendUint(dst, uint64(f.uint32()), 10)
	case 'l', 'L':
		return strconv.AppendInt(dst, int64(f.uint64()), 10)
	case 'T':
		return strconv.AppendUint(dst, f.uint64(), 10)
	case 'f':
		return appendFloat(dst, float64(math.Float32frombits(f.uint32())), 32)
	case 'd':
		return appendFloat(dst, math.Float64frombits(f.uint64()), 64)
	case 'D':
		scale := f.byte()
		return appendDecimal(dst, int32(f.uint32()), int(scale))
	case 'S':
		if s := f.long(); utf8.Valid(s) {
			return sse.AppendString(dst, s)
		} else {
			return appendBytes(dst, s)
		}
	case 'x':
		return appendBytes(dst, f.long())
	case 'V':
		return append(dst, "null"...)
	case 'F':
		inner := &cursor{p: f.long(), bad: f.bad}
		dst = appendTable(dst, inner, depth)
		f.bad = f.bad || inner.bad
		return dst
	case 'A':
		inner := &cursor{p: f.long(), bad: f.bad}
		dst = append(dst, '[')
		for first := true; len(inner.p) > 0 && !inner.bad; first = false {
			if !first {
				dst = append(dst, ", "...)
			}
			dst = appendField(dst, inner, depth+1)
		}
		f.bad = f.bad || inner.bad
		return append(dst, ']')
	}
	f.bad = true
	return dst
}

func appendFloat(dst []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(dst, `"-Infinity"`...)
	}
	return strconv.AppendFloat(dst, v, 'g', -1, bits)
}

// appendDecimal writes v / 10^scale without going through a float.
func appendDecimal(dst []byte, v int32, scale int) []byte {
	if scale == 0 {
		return strconv.AppendInt(dst, int64(v), 10)
	}
	abs := int64(v)
	if abs < 0 {
		dst = append(dst, '-')
		abs = -abs
	}
	digits := strconv.FormatInt(abs, 10)
	digits = strings.Repeat("0", max(0, scale+1-len(digits))) + digits
	dst = append(dst, digits[:len(digits)-scale]...)
	dst = append(dst, '.')
	return append(dst, digits[len(digits)-scale:]...)
}

func appendBytes(dst, b []byte) []byte {
	dst = append(dst, `{"base64": "`...)
	dst = sse.AppendBase64(dst, b)
	return append(dst, `"}`...)
}

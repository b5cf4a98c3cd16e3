package amqpwire

import (
	"math"
	"strconv"
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
// {"base64": "…"}.
func AppendTable(dst, table []byte) ([]byte, bool) {
	f := &cursor{p: table}
	out := appendTable(dst, f, 0)
	if f.bad {
		return dst, false
	}
	return out, true
}

func appendTable(dst []byte, f *cursor, depth int) []byte {
	dst = append(dst, '{')
	for first := true; len(f.p) > 0 && !f.bad; first = false {
		if !first {
			dst = append(dst, ", "...)
		}
		dst = sse.AppendString(dst, f.short())
		dst = append(dst, ": "...)
		dst = appendField(dst, f, depth+1)
	}
	return append(dst, '}')
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
	for len(digits) <= scale {
		digits = "0" + digits
	}
	dst = append(dst, digits[:len(digits)-scale]...)
	dst = append(dst, '.')
	return append(dst, digits[len(digits)-scale:]...)
}

func appendBytes(dst, b []byte) []byte {
	dst = append(dst, `{"base64": "`...)
	dst = sse.AppendBase64(dst, b)
	return append(dst, `"}`...)
}

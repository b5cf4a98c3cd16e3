package amqpwire_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/amqpwire"
)

func be(n int, v uint64) []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], v)
	return b[8-n:]
}

func TestTable_EveryTypeOfField_IsRead(t *testing.T) {
	for _, c := range []struct {
		name  string
		field []byte
		want  string
	}{
		{"bool", []byte{'t', 1}, "true"},
		{"bool", []byte{'t', 0}, "false"},
		{"int8", []byte{'b', 0x80}, "-128"},
		{"uint8", []byte{'B', 0xff}, "255"},
		{"int16", append([]byte{'s'}, be(2, 0xffff)...), "-1"},
		{"int16 of the specification", append([]byte{'U'}, be(2, 0x8000)...), "-32768"},
		{"uint16", append([]byte{'u'}, be(2, 0xffff)...), "65535"},
		{"int32", append([]byte{'I'}, be(4, 0x80000000)...), "-2147483648"},
		{"uint32", append([]byte{'i'}, be(4, 0xffffffff)...), "4294967295"},
		{"int64", append([]byte{'l'}, be(8, 1<<63)...), "-9223372036854775808"},
		{"int64 of the specification", append([]byte{'L'}, be(8, 5)...), "5"},
		{"float", append([]byte{'f'}, be(4, uint64(math.Float32bits(1.5)))...), "1.5"},
		{"double", append([]byte{'d'}, be(8, math.Float64bits(0.1))...), "0.1"},
		{"NaN", append([]byte{'d'}, be(8, math.Float64bits(math.NaN()))...), `"NaN"`},
		{"infinity", append([]byte{'f'}, be(4, uint64(math.Float32bits(float32(math.Inf(1)))))...), `"Infinity"`},
		{"minus infinity", append([]byte{'d'}, be(8, math.Float64bits(math.Inf(-1)))...), `"-Infinity"`},
		{"decimal", append([]byte{'D', 2}, be(4, 12345)...), "123.45"},
		{"small decimal", append([]byte{'D', 3}, be(4, 0xffffffff)...), "-0.001"},
		{"decimal of most digits", append([]byte{'D', 255}, be(4, 7)...), "0." + strings.Repeat("0", 254) + "7"},
		{"whole decimal", append([]byte{'D', 0}, be(4, 0x80000000)...), "-2147483648"},
		{"text", append([]byte{'S'}, long("a \"b\" ☃\n\u2028")...), `"a \"b\" ☃\n\u2028"`},
		{"bytes in text", append([]byte{'S'}, long("\xff\x00")...), `{"base64": "/wA="}`},
		{"bytes", append([]byte{'x'}, long("abc")...), `{"base64": "YWJj"}`},
		{"void", []byte{'V'}, "null"},
		{"time", append([]byte{'T'}, be(8, 1700000000)...), "1700000000"},
		{"array", append([]byte{'A'}, long("t\x01V")...), "[true, null]"},
		{"empty array", append([]byte{'A'}, long("")...), "[]"},
		{"table", append([]byte{'F'}, long("\x01at\x01\x01bV")...), `{"a": true, "b": null}`},
		{"empty table", append([]byte{'F'}, long("")...), "{}"},
	} {
		got, ok := amqpwire.AppendTable([]byte("x"), append(short("k"), c.field...))
		if want := `x{"k": ` + c.want + "}"; !ok || string(got) != want {
			t.Errorf("%s: %s, %v; want %s", c.name, got, ok, want)
		}
		if !json.Valid(got[1:]) {
			t.Errorf("%s: %s is not JSON", c.name, got[1:])
		}
		// Cut anywhere, it cannot be read.
		whole := append(short("k"), c.field...)
		for i := 1; i < len(whole); i++ {
			if out, ok := amqpwire.AppendTable([]byte("x"), whole[:i]); ok || string(out) != "x" {
				t.Errorf("%s cut at %d: %s, %v", c.name, i, out, ok)
			}
		}
	}
}

func TestAppendTable_TooDeep_Fails(t *testing.T) {
	nest := func(n int) []byte {
		table := []byte{}
		for range n {
			table = append(append(short("k"), 'F'), long(string(table))...)
		}
		return table
	}
	if out, ok := amqpwire.AppendTable(nil, nest(30)); !ok || strings.Count(string(out), "{") != 31 {
		t.Errorf("30 deep: %s, %v", out, ok)
	}
	if _, ok := amqpwire.AppendTable(nil, nest(1000)); ok {
		t.Error("1000 deep was read")
	}
	if _, ok := amqpwire.AppendTable(nil, []byte{1, 'k', '?'}); ok {
		t.Error("an unknown type was read")
	}
}

func TestAppendTable_NameTwice_LastCounts(t *testing.T) {
	field := func(name, value string) string { return string(short(name)) + value }
	var many strings.Builder
	for i := range 40 {
		many.WriteString(field(fmt.Sprint("k", i%20), fmt.Sprintf("B%c", rune('0'+i))))
	}
	for _, c := range []struct{ in, want string }{
		{field("a", "t\x01") + field("a", "t\x00"), `{"a": false}`},
		{field("a", "V") + field("b", "V") + field("a", "t\x01") + field("b", "t\x00") + field("c", "V"), `{"a": true, "b": false, "c": null}`},
		{field("", "V") + field("", "V") + field("", "t\x01"), `{"": true}`},
		{field("o", "F"+string(long(field("a", "V")+field("a", "t\x01")))), `{"o": {"a": true}}`},
	} {
		if got, ok := amqpwire.AppendTable(nil, []byte(c.in)); !ok || string(got) != c.want {
			t.Errorf("%q: %s, %v; want %s", c.in, got, ok, c.want)
		}
	}
	out, ok := amqpwire.AppendTable(nil, []byte(many.String()))
	var got map[string]int
	if err := json.Unmarshal(out, &got); !ok || err != nil || len(got) != 20 || got["k3"] != '0'+23 || strings.Count(string(out), `"k3"`) != 1 {
		t.Errorf("many fields: %s, %v", out, err)
	}
}

// A table of n fields takes time in proportion to n.
func TestAppendTable_ManyFields_Linear(t *testing.T) {
	table := func(n int) (b []byte) {
		for i := range n {
			b = append(append(b, short(fmt.Sprint(i))...), 'V')
		}
		return b
	}
	cost := func(n int) float64 {
		in := table(n)
		return testing.AllocsPerRun(1, func() {
			if _, ok := amqpwire.AppendTable(nil, in); !ok {
				t.Error("not read")
			}
		})
	}
	if small, large := cost(5_000), cost(20_000); large > 8*small {
		t.Errorf("%v allocations for 5 000 fields, %v for 20 000", small, large)
	}
}

// A decimal of 255 places is written at once, not place by place.
func TestAppendTable_DecimalOfManyPlaces_AllocatesLittle(t *testing.T) {
	in := append(append(short("d"), 'D', 255), be(4, 7)...)
	out := make([]byte, 0, 1<<10)
	if n := testing.AllocsPerRun(10, func() {
		if _, ok := amqpwire.AppendTable(out, in); !ok {
			t.Error("not read")
		}
	}); n > 20 {
		t.Errorf("%v allocations", n)
	}
}

func TestLong_FieldCutOrOfAnotherType_IsNotFound(t *testing.T) {
	table := append(append(short("s"), 'S'), long("x-stream-offset")...)
	table = append(append(append(table, short("x-stream-offset")...), 'l'), be(8, 77)...)
	if v, ok := amqpwire.Long(append(table, append(short("z"), 'V')...), "x-stream-offset"); !ok || v != 77 {
		t.Errorf("%d, %v", v, ok)
	}
	for name, bad := range map[string][]byte{
		"another type": append(append(short("x-stream-offset"), 'S'), long("77")...),
		"cut":          table[:len(table)-1],
		"none":         nil,
	} {
		if v, ok := amqpwire.Long(bad, "x-stream-offset"); ok {
			t.Errorf("%s: %d", name, v)
		}
	}
}

func FuzzTable(f *testing.F) {
	f.Add([]byte("\x01kt\x01"))
	f.Add([]byte("\x01kF\x00\x00\x00\x04\x01at\x01"))
	f.Add([]byte("\x01kA\x00\x00\x00\x02t\x01"))
	f.Add([]byte("\x01kD\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		out, ok := amqpwire.AppendTable(nil, in)
		if !ok && len(out) > 0 {
			t.Fatalf("%q left %q", in, out)
		}
		if ok && !json.Valid(out) {
			t.Fatalf("%q gives %q", in, out)
		}
		amqpwire.Long(in, "k")
	})
}

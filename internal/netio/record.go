package netio

import (
	"bytes"
	"crypto/tls"
	"reflect"
	"unsafe"
)

// crypto/tls reads each record whole into a buffer that grows to the largest, some
// 20 KB, and that lives as long as the connection, as does one for the messages of
// handshakes. It offers no way to give them back.

// The buffers, and what is left to read of a record in the first.
var (
	recordBuffer, hasRecordBuffer       = fieldOfTLS[bytes.Buffer]("rawInput")
	recordRest, hasRecordRest           = fieldOfTLS[bytes.Reader]("input")
	handshakeBuffer, hasHandshakeBuffer = fieldOfTLS[bytes.Buffer]("hand")
)

// fieldOfTLS finds where a tls.Conn has a field of type T.
func fieldOfTLS[T any](name string) (offset uintptr, ok bool) {
	f, ok := reflect.TypeFor[tls.Conn]().FieldByName(name)
	return f.Offset, ok && f.Type == reflect.TypeFor[T]()
}

// releaseBuffers frees the buffers of c unless they hold bytes. Nobody may read the
// connection meanwhile; writing does not use them. With a crypto/tls that has other
// fields it does nothing.
func releaseBuffers(c *tls.Conn) {
	if !hasRecordBuffer || !hasRecordRest || !hasHandshakeBuffer {
		return
	}
	record := (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(c), recordBuffer))
	rest := (*bytes.Reader)(unsafe.Add(unsafe.Pointer(c), recordRest))
	handshake := (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(c), handshakeBuffer))
	if record.Len() == 0 && rest.Len() == 0 && handshake.Len() == 0 {
		*record, *rest, *handshake = bytes.Buffer{}, bytes.Reader{}, bytes.Buffer{}
	}
}

package envelope

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// EncodeResult is a response with a result, which is JSON. An empty id stands
// for one that could not be read.
func EncodeResult(id, result []byte) []byte {
	b := response(id, len(result))
	b = append(b, `,"result":`...)
	b = append(b, result...)
	return append(b, '}')
}

// EncodeError is a response with an error (JSON-RPC 2.0 §5.1). Data is JSON or
// nil. An empty id stands for one that could not be read.
func EncodeError(id []byte, code int, message string, data []byte) []byte {
	b := response(id, len(message)+len(data)+64)
	b = append(b, `,"error":{"code":`...)
	b = strconv.AppendInt(b, int64(code), 10)
	b = append(b, `,"message":`...)
	b = AppendString(b, message)
	if len(data) > 0 {
		b = append(b, `,"data":`...)
		b = append(b, data...)
	}
	return append(b, "}}"...)
}

func response(id []byte, more int) []byte {
	if len(id) == 0 {
		id = []byte("null")
	}
	b := make([]byte, 0, len(id)+more+48)
	b = append(b, `{"jsonrpc":"2.0","id":`...)
	return append(b, id...)
}

// AppendString appends s as a JSON string. What is not UTF-8 in it becomes
// U+FFFD.
func AppendString(dst []byte, s string) []byte {
	// The only error that AppendQuote has is invalid UTF-8, which it has
	// replaced by then.
	dst, _ = jsontext.AppendQuote(dst, s)
	return dst
}

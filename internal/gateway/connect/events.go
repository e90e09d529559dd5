package connect

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
)

// event is one server-sent event (HTML Living Standard §9.2).
type event struct {
	name, id string
	retry    time.Duration
	data     []byte
}

var errTooLarge = errors.New("connect: an event is too large")

// events reads a stream of events.
type events struct {
	r     *bufio.Reader
	limit int
	begun bool
}

func newEvents(r io.Reader, limit int) *events {
	return &events{r: bufio.NewReaderSize(r, 16<<10), limit: limit}
}

// next is the next event. One that the end of the stream cuts off is not an event.
func (es *events) next() (event, error) {
	var e event
	fields, size, hasData := false, 0, false
	for {
		line, err := es.line(&size)
		if err != nil {
			return event{}, err
		}
		if len(line) == 0 {
			if fields {
				return e, nil
			}
			size = 0 // comments keep a stream alive for days
			continue
		}
		name, value, _ := bytes.Cut(line, []byte{':'})
		value = bytes.TrimPrefix(value, []byte{' '})
		fields = fields || len(name) > 0
		switch string(name) {
		case "data":
			if hasData {
				e.data = append(e.data, '\n')
			}
			e.data, hasData = append(e.data, value...), true
		case "event":
			e.name = string(value)
		case "id":
			if !bytes.ContainsRune(value, 0) {
				e.id = string(value)
			}
		case "retry":
			if ms, err := strconv.ParseUint(string(value), 10, 31); err == nil && !strings.HasPrefix(string(value), "+") {
				e.retry = time.Duration(ms) * time.Millisecond
			}
		}
	}
}

// line is the next line without its end, which is LF or CR LF: no MCP server
// ends lines with CR alone. It adds to size what the event has by now.
func (es *events) line(size *int) ([]byte, error) {
	var whole []byte
	for {
		part, err := es.r.ReadSlice('\n')
		// An event's data may be as large as a message, its other fields a little more.
		if *size += len(part); *size > es.limit+4<<10 {
			return nil, errTooLarge
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			whole = append(whole, part...)
			continue
		}
		if err != nil {
			return nil, err
		}
		if whole != nil {
			part = append(whole, part...)
		}
		part = bytes.TrimSuffix(bytes.TrimSuffix(part, []byte{'\n'}), []byte{'\r'})
		if !es.begun {
			es.begun = true
			part = bytes.TrimPrefix(part, []byte("\ufeff"))
		}
		return part, nil
	}
}

package bench

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"aims/internal/aims"
)

// driven is what the role load prints.
type driven struct {
	Calls     int     `json:"calls"`
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
}

// numberMark stands in a body for what differs from request to request, such as an id.
const numberMark = "@N@"

// driveLoad posts one body to any server in closed loops, so that other
// products are measured with the client that measures this one
// (bench/README.md). Its arguments: URL, connections, seconds, a text that
// every good answer holds, the file that holds the body, and headers as "Name:
// value". The mark @N@ in the body becomes a number of its own in each request.
func driveLoad(ctx context.Context, args []string, say func(any) error) (func() error, error) {
	const fixed = 5
	if len(args) < fixed {
		return nil, aims.Errorf(aims.Invalid, nil, "load needs URL, connections, seconds, text of a good answer, body file and headers")
	}
	connections, err := strconv.Atoi(args[1])
	if err != nil || connections < 1 {
		return nil, aims.Errorf(aims.Invalid, err, "load: %q is not a number of connections", args[1])
	}
	seconds, err := strconv.ParseFloat(args[2], 64)
	if err != nil || seconds <= 0 {
		return nil, aims.Errorf(aims.Invalid, err, "load: %q is not a number of seconds", args[2])
	}
	body, err := os.ReadFile(args[4])
	if err != nil {
		return nil, aims.Errorf(aims.Invalid, err, "load: the body file cannot be read")
	}
	header := http.Header{"Content-Type": {"application/json"}}
	for _, line := range args[fixed:] {
		name, value, _ := strings.Cut(line, ":")
		header.Set(name, strings.TrimSpace(value))
	}
	debug.SetGCPercent(roomy)
	c := newCaller(args[0], connections, header, args[3])
	result, err := load(ctx, connections, time.Duration(seconds*float64(time.Second)), func(ctx context.Context, caller, n int) error {
		return c.post(ctx, bytes.ReplaceAll(body, []byte(numberMark), strconv.AppendInt(nil, int64(n*connections+caller+1), 10)))
	})
	if err != nil {
		return nil, err
	}
	c.close()
	return func() error { return nil }, say(driven{
		Calls:     len(result.took),
		PerSecond: result.perSecond(),
		P50:       millis(median(result.took)),
		P99:       millis(percentile(result.took, 0.99)),
	})
}

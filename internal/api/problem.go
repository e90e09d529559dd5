package api

import (
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"aims/internal/aims"
)

// statusOf is the one table from error codes to HTTP.
func statusOf(code aims.Code) int {
	switch code {
	case aims.Invalid:
		return http.StatusBadRequest
	case aims.Unauthenticated:
		return http.StatusUnauthorized
	case aims.Denied:
		return http.StatusForbidden
	case aims.NotFound:
		return http.StatusNotFound
	case aims.Conflict:
		return http.StatusConflict
	case aims.Exhausted:
		return http.StatusTooManyRequests
	case aims.Unavailable:
		return http.StatusServiceUnavailable
	case aims.Timeout:
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

// codeOf is the reverse, for errors that the HTTP layer makes itself.
func codeOf(status int) aims.Code {
	switch status {
	case http.StatusUnauthorized:
		return aims.Unauthenticated
	case http.StatusForbidden:
		return aims.Denied
	case http.StatusNotFound:
		return aims.NotFound
	case http.StatusConflict:
		return aims.Conflict
	case http.StatusTooManyRequests:
		return aims.Exhausted
	}
	if status >= 500 {
		return aims.Internal
	}
	return aims.Invalid
}

// Error makes a Problem an error of the HTTP layer.
func (p *Problem) Error() string { return p.Detail }

// GetStatus is the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is that of RFC 9457.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// problem is what a caller is told of an error: its code and its safe sentence.
func problem(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	code, text := aims.Public(err)
	status := statusOf(code)
	return &Problem{Status: status, Title: http.StatusText(status), Code: string(code), Detail: text}
}

// reword puts the HTTP layer's own errors, about a malformed request, into the
// form of all others. The value that was wrong is not repeated.
func reword(_ huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := &Problem{Status: m.Status, Title: m.Title, Code: string(codeOf(m.Status)), Detail: m.Detail}
	for _, e := range m.Errors {
		p.Errors = append(p.Errors, FieldProblem{Location: e.Location, Message: e.Message})
	}
	return p, nil
}

package authzen

import (
	"context"
	"strings"

	"aims/internal/aims"
	"aims/internal/enforcement"
	"aims/receipt"
)

// report is what a caller says came of a decision.
type report struct {
	id     string
	status receipt.Status
	detail string
	result []byte
}

// outcome closes a decision with what its caller reports. Only the subject of
// the decision, or the enforcement point that asked for it, closes it, and once.
func (a *API) outcome(ctx context.Context, c caller, body []byte) ([]byte, error) {
	r, err := parseReport(body)
	if err != nil {
		return nil, err
	}
	o := enforcement.Outcome{Status: r.status, Detail: r.detail, Result: r.result}
	if err := a.enforcer.CloseByID(ctx, c.Principal, r.id, o); err != nil {
		return nil, err
	}
	b := appendString([]byte(`{"id":`), r.id)
	b = appendString(append(b, `,"status":`...), string(r.status))
	return append(b, '}'), nil
}

func parseReport(body []byte) (report, error) {
	var r report
	err := members(body, "the request", func(name string, v []byte) error {
		ok := true
		switch name {
		case "id":
			r.id, ok = unquote(v)
		case "status":
			var s string
			s, ok = unquote(v)
			r.status = receipt.Status(s)
		case "detail":
			r.detail, ok = unquote(v)
		case "result":
			r.result = v
		}
		if !ok {
			return malformedf("expected %s to be a string", name)
		}
		return nil
	})
	switch {
	case err != nil:
		return r, err
	case !strings.HasPrefix(r.id, "rcp_") || len(r.id) > 64:
		return r, malformedf("expected id to be the id of a decision's receipt")
	case !reportable(r.status):
		return r, malformedf("expected status to be %s, %s, %s, %s or %s",
			receipt.Succeeded, receipt.Failed, receipt.TimedOut, receipt.Cancelled, receipt.Undelivered)
	case len(r.result) > receipt.MaxPayload:
		return r, aims.Errorf(aims.Invalid, nil, "expected a result of at most %d bytes", receipt.MaxPayload)
	}
	return r, nil
}

func reportable(s receipt.Status) bool {
	switch s {
	case receipt.Succeeded, receipt.Failed, receipt.TimedOut, receipt.Cancelled, receipt.Undelivered:
		return true
	}
	return false
}

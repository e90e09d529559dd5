package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"aims/internal/aims"
	"aims/internal/evidence/pack"
)

type packRequest struct {
	Credentials
	From string `query:"from" required:"true" format:"date" doc:"first day of the period, UTC"`
	Last string `query:"until" required:"true" format:"date" doc:"last day of the period, UTC"`
	For  string `query:"for" enum:"stage1,stage2,surveillance" doc:"the audit that it is made for"`
}

func (a *api) packs(h huma.API) {
	stream(a, h, huma.Operation{Method: http.MethodGet, Path: "/pack", Summary: "An audit pack: the log up to the end of a period and what follows from it"},
		"pack/make", "application/zip", a.streamPack)
}

func (r *packRequest) period() (pack.Request, error) {
	from, err := time.Parse(time.DateOnly, r.From)
	if err != nil {
		return pack.Request{}, aims.Errorf(aims.Invalid, err, "from: %.40q is no day; expected one such as 2026-11-23", r.From)
	}
	last, err := time.Parse(time.DateOnly, r.Last)
	if err != nil {
		return pack.Request{}, aims.Errorf(aims.Invalid, err, "until: %.40q is no day; expected one such as 2026-11-23", r.Last)
	}
	p := pack.Request{From: from, Until: last.AddDate(0, 0, 1), For: r.For}
	return p, nil
}

func (a *api) streamPack(ctx context.Context, _ caller, in *packRequest, w io.Writer) error {
	p, err := in.period()
	if err != nil {
		return err
	}
	// A pack ends at a checkpoint: one for all that is there now.
	if err := a.Ledger.Sign(ctx); err != nil {
		return err
	}
	src, err := a.Source(ctx)
	if err != nil {
		return err
	}
	_, err = pack.Write(ctx, w, src, p, os.TempDir(), nil)
	var wrong *pack.RequestError
	if errors.As(err, &wrong) {
		return aims.Errorf(aims.Invalid, err, "%s", wrong.Text)
	}
	return err
}

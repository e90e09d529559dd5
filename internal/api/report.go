package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"aims/internal/evidence/report"
)

type reportRequest struct {
	Credentials
	Judged
	Report string `path:"report" maxLength:"40" doc:"soa, gap, risks, measures, audit, samples, review, oscal-catalog, oscal-profile, oscal-results or oscal-poam"`
	ID     string `query:"id" maxLength:"64" doc:"the audit of audit and samples, the review of review; absent for any other"`
	Format string `query:"format" maxLength:"10" doc:"pdf, xlsx or json; absent: the report's usual one"`
}

// reportFile is a report as it is downloaded.
type reportFile struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

// reports registers the files that people open. A report is made before its
// first byte is sent, so that what stands in its way is said.
func (a *api) reports(h huma.API) {
	made := report.New(report.Parts{Evidence: a.Evidence, Audits: a.Audits, Register: a.Register, Ledger: a.Ledger, Source: a.Source, Origin: a.Origin, Now: a.Now})
	op := huma.Operation{Method: http.MethodGet, Path: "/api/v1/reports/{report}", Summary: "A report as a file: the same bytes for the same moment", Description: "Decided as the action evidence/read; a report of an audit or a review as audit/read."}
	op.OperationID = operationID(op)
	op.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
		report.PDF.Type(): {}, report.XLSX.Type(): {}, report.JSON.Type(): {}}}}
	huma.Register(h, op, func(ctx context.Context, in *reportRequest) (*reportFile, error) {
		action := "evidence/read"
		if k, err := report.Named(in.Report); err == nil && k.Of != "" {
			action = "audit/read" // as its papers are read
		}
		c, err := a.permit(ctx, in.Authorization, action)
		if err != nil {
			return nil, err
		}
		f, err := a.report(ctx, made, in)
		a.close(ctx, c, err)
		if err != nil {
			return nil, a.failed(action, err)
		}
		return &reportFile{ContentType: f.Format.Type(), Disposition: `attachment; filename="` + f.Name + `"`, Body: f.Content}, nil
	})
}

func (a *api) report(ctx context.Context, made *report.Reports, in *reportRequest) (report.File, error) {
	v, err := a.view(in.Judged)
	if err != nil {
		return report.File{}, err
	}
	return made.Make(ctx, report.Request{Report: in.Report, ID: in.ID, Format: report.Format(in.Format), View: v})
}

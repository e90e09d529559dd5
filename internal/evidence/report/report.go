// Package report writes what people open: the statement of applicability, what
// is missing, risks, measures, audits and reviews as PDF and XLSX, and the same
// for tools as JSON and NIST OSCAL (ISO 42001 6.1.3, 7.5, 9). The same moment of
// the same log gives the same bytes.
package report

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/evidence"
	"aims/internal/evidence/oscal"
	"aims/internal/ledger"
	"aims/receipt"
)

// Format is what a file is.
type Format string

const (
	PDF  Format = "pdf"
	XLSX Format = "xlsx"
	JSON Format = "json"
)

// Type is the media type of a format.
func (f Format) Type() string {
	switch f {
	case PDF:
		return "application/pdf"
	case XLSX:
		return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	}
	return "application/json"
}

// Kind is a report that there is.
type Kind struct {
	Name string
	// Formats are those that it has, the usual one first.
	Formats []Format
}

// Kinds are all reports.
func Kinds() []Kind {
	open := []Format{PDF, XLSX, JSON}
	return []Kind{
		{"soa", open}, {"gap", open}, {"risks", open}, {"measures", open},
		{"oscal-catalog", []Format{JSON}}, {"oscal-profile", []Format{JSON}}, {"oscal-results", []Format{JSON}}, {"oscal-poam", []Format{JSON}},
	}
}

// Request is what somebody asks for.
type Request struct {
	Report string
	Format Format // the report's usual one when it is empty
	View   evidence.View
}

// File is a report.
type File struct {
	Name    string // that a person would give it
	Format  Format
	Content []byte
}

// Parts are what reports are made of.
type Parts struct {
	Evidence *evidence.Service
	Ledger   *ledger.Ledger
	// Source is the log with every policy set that was in force.
	Source func(context.Context) (receipt.Source, error)
	Origin string
	Now    func() time.Time
}

// Reports writes reports.
type Reports struct{ p Parts }

// New is reports over their parts.
func New(p Parts) *Reports { return &Reports{p} }

// settled is the request with its kind and format, or what was expected.
func (q Request) settled() (Request, error) {
	var names []string
	for _, k := range Kinds() {
		names = append(names, k.Name)
		if k.Name != q.Report {
			continue
		}
		if q.Format == "" {
			q.Format = k.Formats[0]
		}
		if !slices.Contains(k.Formats, q.Format) {
			return q, aims.Errorf(aims.Invalid, nil, "the report %s has no format %.20q; expected %s", k.Name, q.Format, either(k.Formats))
		}
		return q, nil
	}
	return q, aims.Errorf(aims.Invalid, nil, "there is no report %.40q; expected %s", q.Report, either(names))
}

func either[T ~string](list []T) string {
	var texts []string
	for _, t := range list {
		texts = append(texts, string(t))
	}
	if len(texts) == 1 {
		return texts[0]
	}
	return strings.Join(texts[:len(texts)-1], ", ") + " or " + texts[len(texts)-1]
}

// Make is a report. A moment of a log has one of each, whenever it is made.
func (r *Reports) Make(ctx context.Context, q Request) (File, error) {
	q, err := q.settled()
	if err != nil {
		return File{}, err
	}
	k, err := r.know(ctx, q.View)
	if err != nil {
		return File{}, err
	}
	f := File{Name: fmt.Sprintf("aims-%s-%s.%s", q.Report, day(k.head.AsOf), q.Format), Format: q.Format}
	if written, ok := k.oscal(q.Report); ok {
		f.Content, err = written()
		return f, err
	}
	d, data, err := r.draw(ctx, q, k)
	if err != nil {
		return f, err
	}
	switch q.Format {
	case PDF:
		f.Content, err = d.pdf()
	case XLSX:
		f.Content, err = d.xlsx()
	default:
		f.Content, err = jsonOf(k.head, q.Report, data)
	}
	return f, err
}

// draw is a report before it has a format, and the data behind it.
func (r *Reports) draw(ctx context.Context, q Request, k known) (document, any, error) {
	switch q.Report {
	case "soa":
		return statement(k.head, k.statement), k.statement, nil
	case "risks":
		return risks(k.head, k.state), riskData{k.state.Registers.RiskCriteria, k.state.Registers.Risks, k.state.Registers.Treatments}, nil
	case "gap":
		g, err := r.p.Evidence.Gap(ctx, k.view, evidence.Filter{})
		return missing(k.head, g, k.statuses), gapData{g, k.statuses}, err
	}
	list, err := r.p.Evidence.Measures(ctx, k.view, "", week)
	return measures(k.head, list), list, err
}

// week is the step of measures.
const week = 7 * 24 * time.Hour

// oscal is how a report for tools is written, if it is one.
func (k known) oscal(name string) (func() ([]byte, error), bool) {
	p := k.head.Position
	switch name {
	case "oscal-catalog":
		return oscal.Catalog, true
	case "oscal-profile":
		return func() ([]byte, error) { return oscal.Profile(p, k.statement) }, true
	case "oscal-results":
		return func() ([]byte, error) { return oscal.Results(p, k.head.From, k.head.Until, k.statuses) }, true
	case "oscal-poam":
		return func() ([]byte, error) { return oscal.Plan(p, k.statuses, k.cases) }, true
	}
	return nil, false
}

func jsonOf(h Head, name string, data any) ([]byte, error) {
	text, err := json.MarshalIndent(struct {
		Report       string    `json:"report"`
		Organisation string    `json:"organisation"`
		Origin       string    `json:"log_origin"`
		Size         uint64    `json:"log_size"`
		Root         string    `json:"log_root"`
		AsOf         time.Time `json:"as_of"`
		From         time.Time `json:"from"`
		Until        time.Time `json:"until"`
		Data         any       `json:"data"`
	}{name, h.Organisation, h.Origin, h.Size, h.Root, h.AsOf.UTC(), h.From.UTC(), h.Until.UTC(), data}, "", "  ")
	return append(text, '\n'), err
}

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
	"aims/internal/evidence/audit"
	"aims/internal/evidence/oscal"
	"aims/internal/ledger"
	"aims/internal/register"
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
	// Of is what each is about: an audit or a review, by id. Empty for a report
	// about the whole management system.
	Of Subject
}

// Subject is a kind of thing of which there are many, each with its own report.
type Subject string

const (
	OfAudit  Subject = "audit"
	OfReview Subject = "review"
)

// Kinds are all reports.
func Kinds() []Kind {
	open, tool := []Format{PDF, XLSX, JSON}, []Format{JSON}
	return []Kind{
		{"soa", open, ""}, {"gap", open, ""}, {"risks", open, ""}, {"measures", open, ""},
		{"audit", open, OfAudit}, {"samples", []Format{XLSX, PDF, JSON}, OfAudit}, {"review", open, OfReview},
		{"oscal-catalog", tool, ""}, {"oscal-profile", tool, ""}, {"oscal-results", tool, ""}, {"oscal-poam", tool, ""},
	}
}

// Named is the kind of report of a name.
func Named(name string) (Kind, error) {
	var names []string
	for _, k := range Kinds() {
		if k.Name == name {
			return k, nil
		}
		names = append(names, k.Name)
	}
	return Kind{}, aims.Errorf(aims.Invalid, nil, "there is no report %.40q; expected %s", name, either(names))
}

// Request is what somebody asks for.
type Request struct {
	Report string
	// ID is that of the audit or review that it is about; empty for any other.
	ID     string
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
	Audits   *audit.Audits
	Register *register.Register
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

// Settled is the request with its format, and what its report is about, or what
// was expected.
func (q Request) Settled() (Request, Subject, error) {
	k, err := Named(q.Report)
	if err != nil {
		return q, "", err
	}
	if q.Format == "" {
		q.Format = k.Formats[0]
	}
	timed := q.View.From.IsZero() && q.View.Until.IsZero()
	switch {
	case !slices.Contains(k.Formats, q.Format):
		return q, k.Of, aims.Errorf(aims.Invalid, nil, "the report %s has no format %.20q; expected %s", k.Name, q.Format, either(k.Formats))
	case k.Of != "" && q.ID == "":
		return q, k.Of, aims.Errorf(aims.Invalid, nil, "the report %s is about one %s: expected its id, as in aims report %s ID; aims %s list names them", k.Name, k.Of, k.Name, k.Of)
	case k.Of == "" && q.ID != "":
		return q, k.Of, aims.Errorf(aims.Invalid, nil, "the report %s is about the whole management system; expected no id, found %.80q", k.Name, q.ID)
	case k.Of != "" && !timed:
		return q, k.Of, aims.Errorf(aims.Invalid, nil, "the report %s has the period of its %s; expected neither from nor until", k.Name, k.Of)
	}
	return q, k.Of, nil
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
	q, of, err := q.Settled()
	if err != nil {
		return File{}, err
	}
	look := r.know
	if of != "" {
		look = r.at
	}
	k, err := look(ctx, q.View)
	if err != nil {
		return File{}, err
	}
	f := File{Name: "aims-" + q.Report, Format: q.Format}
	if q.ID != "" {
		f.Name += "-" + q.ID
	}
	f.Name += fmt.Sprintf("-%s.%s", day(k.head.AsOf), q.Format)
	if written, ok := k.oscal(q.Report); ok {
		f.Content, err = written()
		return f, err
	}
	draw := r.draw
	if of != "" {
		draw = r.drawOne
	}
	d, data, err := draw(ctx, q, k)
	if err != nil {
		return f, err
	}
	switch q.Format {
	case PDF:
		f.Content, err = d.pdf()
	case XLSX:
		f.Content, err = d.xlsx()
	default:
		f.Content, err = jsonOf(d.head, q.Report, data)
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
		return missing(k.head, k.gap, k.statuses), gapData{k.gap, k.statuses}, nil
	}
	list, err := r.p.Evidence.Measures(ctx, k.view, "", week)
	return measures(k.head, list), list, err
}

// drawOne is draw for a report about one audit or review.
func (r *Reports) drawOne(ctx context.Context, q Request, k known) (document, any, error) {
	if q.Report == "review" {
		review, err := r.p.Audits.Review(ctx, q.ID, k.view.At)
		return reviewed(k.head, review), review, err
	}
	one, err := r.p.Audits.Report(ctx, q.ID, k.view.At)
	if err != nil {
		return document{}, nil, err
	}
	if k.head.From, k.head.Until, err = audit.Bounds(one.Audit.Audit); err != nil {
		return document{}, nil, err
	}
	if q.Report == "samples" {
		return samples(k.head, one), sampleData{q.ID, one.Samples}, nil
	}
	return audited(k.head, one), one, nil
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
		From         time.Time `json:"from,omitzero"`
		Until        time.Time `json:"until,omitzero"`
		Data         any       `json:"data"`
	}{name, h.Organisation, h.Origin, h.Size, h.Root, h.AsOf.UTC(), h.From.UTC(), h.Until.UTC(), data}, "", "  ")
	return append(text, '\n'), err
}

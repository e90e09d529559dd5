package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"aims/internal/aims"
	"aims/internal/enforcement"
	"aims/internal/register"
	"aims/internal/register/record"
)

// maxRegistersBytes bounds registers in a request.
const maxRegistersBytes = 40 << 20

// RegisterRecord is one record as files have it, in JSON.
type RegisterRecord struct {
	Kind   string          `json:"kind" maxLength:"64"`
	Record json.RawMessage `json:"record" doc:"the record; aims schema KIND says what it may hold"`
}

// RegisterFiles are registers as a directory of files has them.
type RegisterFiles struct {
	// Log is the log that the base is an index of.
	Log     string           `json:"log,omitempty" maxLength:"512" doc:"name of the log of the base; another one than this is refused"`
	Base    register.Base    `json:"base" doc:"what the files were written from"`
	Whole   bool             `json:"whole" doc:"the files are all that the base had: what they leave out is to be removed"`
	Records []RegisterRecord `json:"records" maxItems:"100000"`
}

// RegisterPlan is what applying files would do, or did.
type RegisterPlan struct {
	Log string `json:"log"`
	register.Plan
	Applied  bool   `json:"applied"`
	Decision string `json:"decision,omitempty" doc:"the receipt of the decision that allowed it"`
}

// RegisterState is all records, at some time.
type RegisterState struct {
	Log string `json:"log"`
	// Base is what files written from it are based on.
	Base    register.Base `json:"base"`
	Records []RegisterRow `json:"records"`
}

// RegisterRow is one record with its version and what people stated of that.
type RegisterRow struct {
	RegisterRecord
	Version  record.Version `json:"version"`
	Approved *record.Mark   `json:"approved,omitempty"`
	Accepted *record.Mark   `json:"accepted,omitempty"`
	// Acknowledged is who has read this version of a document.
	Acknowledged []record.Mark `json:"acknowledged,omitempty"`
}

// RegisterMark is what a person states.
type RegisterMark struct {
	Mark   string `json:"mark" enum:"approve,acknowledge,accept,attest,withdraw"`
	Kind   string `json:"kind" maxLength:"64" doc:"kind of record, or requirement"`
	ID     string `json:"id" maxLength:"256"`
	Digest string `json:"digest,omitempty" maxLength:"71" doc:"of the version that was shown"`
	Note   string `json:"note,omitempty" maxLength:"2000" doc:"kept beside the log"`
	Until  string `json:"until,omitempty" maxLength:"10" doc:"last day of an attestation"`
}

type asOfRequest struct {
	Credentials
	AsOf string `query:"as_of" maxLength:"40" doc:"as it was at the end of a day (2026-11-23, UTC) or at a moment (RFC 3339)"`
}

type registerKindRequest struct {
	Credentials
	AsOf string `query:"as_of" maxLength:"40" doc:"as it was at the end of a day (2026-11-23, UTC) or at a moment (RFC 3339)"`
	Kind string `path:"kind" maxLength:"64"`
}

type registerRecordRequest struct {
	Credentials
	AsOf string `query:"as_of" maxLength:"40" doc:"as it was at the end of a day (2026-11-23, UTC) or at a moment (RFC 3339)"`
	Kind string `path:"kind" maxLength:"64"`
	ID   string `path:"id" maxLength:"256"`
}

type registerFilesRequest struct {
	Credentials
	Body RegisterFiles
}

type registerMarkRequest struct {
	Credentials
	Body RegisterMark
}

type registerVerifyRequest struct{ Credentials }

func (a *api) registers(h huma.API) {
	kind := func(kind string) (enforcement.Matter, error) { return enforcement.Matter{Kind: kind}, nil }
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/registers", Summary: "All records"}, "registers/read", a.allRecords)
	verbOf(a, h, huma.Operation{Method: http.MethodGet, Path: "/registers/{kind}", Summary: "The records of a kind"}, "registers/read",
		func(_ context.Context, in *registerKindRequest) (enforcement.Matter, error) { return kind(in.Kind) }, a.listRecords)
	verbOf(a, h, huma.Operation{Method: http.MethodGet, Path: "/registers/{kind}/{id}", Summary: "A record with its version and what people stated of it"}, "registers/read",
		func(_ context.Context, in *registerRecordRequest) (enforcement.Matter, error) { return kind(in.Kind) }, a.showRecord)
	verbOf(a, h, huma.Operation{Method: http.MethodGet, Path: "/registers/{kind}/{id}/history", Summary: "Every version of a record, and what people stated of each"}, "registers/read",
		func(_ context.Context, in *registerRecordRequest) (enforcement.Matter, error) { return kind(in.Kind) }, a.recordHistory)
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/registers-plan", Summary: "What applying files would do; nothing changes", MaxBodyBytes: maxRegistersBytes}, "registers/read", a.planRegisters)
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/registers-apply", Summary: "Apply files: all of it or nothing", MaxBodyBytes: maxRegistersBytes}, "registers/apply", a.applyRegisters)
	verbOf(a, h, huma.Operation{Method: http.MethodPost, Path: "/registers-marks", Summary: "State something of a version of a record, or of a requirement"}, "registers/mark", a.markMatter, a.markRecord)
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/registers-verification", Summary: "Make the registers again from the log and compare"}, "registers/read",
		func(ctx context.Context, _ caller, _ *registerVerifyRequest) (register.Verification, error) {
			return a.Register.Verify(ctx)
		})
}

// AsOf reads the moment that a read is about: the end of a day, UTC, or a time
// as RFC 3339 writes it; the zero time for an empty text.
func AsOf(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		var day time.Time
		if day, err = time.Parse(time.DateOnly, text); err != nil {
			return at, aims.Errorf(aims.Invalid, nil, "as of %.40q: expected a day such as 2026-11-23, or a moment such as 2026-11-23T15:04:05Z", text)
		}
		if day.After(now) {
			return at, aims.Errorf(aims.Invalid, nil, "as of %s, which lies ahead", text)
		}
		return day.AddDate(0, 0, 1).Add(-time.Microsecond), nil
	}
	if at.After(now) {
		return at, aims.Errorf(aims.Invalid, nil, "as of %s, which lies ahead", text)
	}
	return at, nil
}

func (a *api) stateAt(ctx context.Context, asOf string) (record.State, error) {
	at, err := AsOf(asOf, a.Now())
	if err != nil {
		return record.State{}, err
	}
	return a.Register.At(ctx, at)
}

func (a *api) allRecords(ctx context.Context, _ caller, in *asOfRequest) (RegisterState, error) {
	s, err := a.stateAt(ctx, in.AsOf)
	out := RegisterState{Log: a.Origin, Records: rowsOf(s, "")}
	for _, versions := range s.Changes {
		out.Base.Index = max(out.Base.Index, versions[len(versions)-1].Index)
	}
	return out, err
}

// rowsOf are the records of a kind, of all when it is empty.
func rowsOf(s record.State, kind string) []RegisterRow {
	rows := []RegisterRow{}
	s.Registers.Each(func(k, id string, rec any) {
		if kind == "" || k == kind {
			rows = append(rows, rowOf(s, k, id, rec))
		}
	})
	return rows
}

func rowOf(s record.State, kind, id string, rec any) RegisterRow {
	row := RegisterRow{RegisterRecord: RegisterRecord{Kind: kind, Record: record.Canonical(rec)}, Version: s.Versions[record.Key{Kind: kind, ID: id}]}
	if m, ok := s.Approved(kind, id); ok {
		row.Approved = &m
	}
	if m, ok := s.Accepted(kind, id); ok {
		row.Accepted = &m
	}
	if kind == "document" {
		for _, m := range s.Acknowledged(id) {
			row.Acknowledged = append(row.Acknowledged, m)
		}
		slices.SortFunc(row.Acknowledged, func(a, b record.Mark) int { return int(a.Index) - int(b.Index) })
	}
	return row
}

// knownKind refuses a kind that there is not, with those that there are.
func knownKind(kind string) error {
	if slices.ContainsFunc(record.Kinds(), func(k record.Kind) bool { return k.Name == kind }) {
		return nil
	}
	var none record.Registers
	return aims.Errorf(aims.NotFound, nil, "%s", none.Put(kind, nil))
}

func (a *api) listRecords(ctx context.Context, _ caller, in *registerKindRequest) ([]RegisterRow, error) {
	if err := knownKind(in.Kind); err != nil {
		return nil, err
	}
	s, err := a.stateAt(ctx, in.AsOf)
	return rowsOf(s, in.Kind), err
}

func (a *api) showRecord(ctx context.Context, _ caller, in *registerRecordRequest) (RegisterRow, error) {
	if err := knownKind(in.Kind); err != nil {
		return RegisterRow{}, err
	}
	s, err := a.stateAt(ctx, in.AsOf)
	if err != nil {
		return RegisterRow{}, err
	}
	rec, ok := s.Registers.Get(in.Kind, in.ID)
	if !ok {
		return RegisterRow{}, aims.Errorf(aims.NotFound, nil, "there is no %s %.80q", in.Kind, in.ID)
	}
	return rowOf(s, in.Kind, in.ID, rec), nil
}

func (a *api) recordHistory(ctx context.Context, _ caller, in *registerRecordRequest) ([]register.Change, error) {
	if in.Kind != record.OnRequirement && in.Kind != record.OnStatement {
		if err := knownKind(in.Kind); err != nil {
			return nil, err
		}
	}
	at, err := AsOf(in.AsOf, a.Now())
	if err != nil {
		return nil, err
	}
	return a.Register.History(ctx, in.Kind, in.ID, at)
}

// registersOf reads the records of a request.
func (a *api) registersOf(in RegisterFiles) (record.Registers, error) {
	var out record.Registers
	if in.Log != "" && in.Log != a.Origin {
		return out, aims.Errorf(aims.Invalid, nil, "the files were written from the log %.100q, and this is %s; take .aims-base away to apply them here as they are, which removes nothing", in.Log, a.Origin)
	}
	seen := map[record.Key]bool{}
	for i, r := range in.Records {
		var id struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(r.Record, &id); err != nil {
			return out, aims.Errorf(aims.Invalid, nil, "records[%d]: expected a JSON object with an id", i)
		}
		key := record.Key{Kind: r.Kind, ID: id.ID}
		if seen[key] {
			return out, aims.Errorf(aims.Invalid, nil, "records[%d]: %.64s/%.200s stands twice", i, r.Kind, id.ID)
		}
		seen[key] = true
		if err := out.Put(r.Kind, r.Record); err != nil {
			return out, aims.Errorf(aims.Invalid, nil, "records[%d]: %s", i, err)
		}
	}
	return out, nil
}

func (a *api) planRegisters(ctx context.Context, _ caller, in *registerFilesRequest) (RegisterPlan, error) {
	want, err := a.registersOf(in.Body)
	if err != nil {
		return RegisterPlan{}, err
	}
	p, err := a.Register.Plan(ctx, in.Body.Base, want, in.Body.Whole)
	return RegisterPlan{Log: a.Origin, Plan: listed(p)}, err
}

func (a *api) applyRegisters(ctx context.Context, c caller, in *registerFilesRequest) (RegisterPlan, error) {
	want, err := a.registersOf(in.Body)
	if err != nil {
		return RegisterPlan{}, err
	}
	p, err := a.Register.Apply(ctx, c.Actor, c.Receipt, in.Body.Base, want, in.Body.Whole)
	if err == nil {
		a.followRecords(ctx)
	}
	return RegisterPlan{Log: a.Origin, Plan: listed(p), Applied: err == nil, Decision: c.Receipt}, err
}

// listed is a plan whose lists are there, as programs expect them.
func listed(p register.Plan) register.Plan {
	if p.Changes == nil {
		p.Changes = []register.Planned{}
	}
	if p.Conflicts == nil {
		p.Conflicts = []register.Conflict{}
	}
	return p
}

// markMatter is what a mark is about: the kind, the mark, and who had a part in
// the version that it is of.
func (a *api) markMatter(ctx context.Context, in *registerMarkRequest) (enforcement.Matter, error) {
	m := enforcement.Matter{Kind: in.Body.Kind, Mark: in.Body.Mark}
	s, err := a.Register.At(ctx, time.Time{})
	if err != nil {
		return m, err
	}
	kind := record.Approve
	if in.Body.Mark == string(record.Accept) {
		kind = record.Accept
	}
	for _, id := range register.Authors(s, kind, in.Body.Kind, in.Body.ID) {
		m.Authors = append(m.Authors, aims.Actor{Type: aims.PersonType, ID: id})
	}
	return m, nil
}

func (a *api) markRecord(ctx context.Context, c caller, in *registerMarkRequest) (record.Mark, error) {
	if in.Body.Kind == record.OnStatement && in.Body.Mark == string(record.Approve) {
		if err := a.presentStatement(ctx, in.Body.Digest); err != nil {
			return record.Mark{}, err
		}
	}
	return a.Register.Mark(ctx, c.Actor, c.Roles, c.Receipt, record.Mark{
		Kind: record.MarkKind(in.Body.Mark), On: in.Body.Kind, ID: in.Body.ID,
		Digest: in.Body.Digest, Note: in.Body.Note, Until: record.Date(in.Body.Until),
	})
}

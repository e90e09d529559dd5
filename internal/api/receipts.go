package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"aims/internal/aims"
	"aims/internal/corrective"
	"aims/internal/ledger"
	"aims/internal/register"
	"aims/receipt"
)

type listReceiptsRequest struct {
	Credentials
	Limit   int    `query:"limit" default:"50" minimum:"1" maximum:"1000"`
	Before  uint64 `query:"before" doc:"only entries before this index; 0 for all"`
	Kind    string `query:"kind" enum:"decision,refusal,outcome,event"`
	Actor   string `query:"actor" doc:"such as agent:billing"`
	Action  string `query:"action" doc:"of decisions and refusals, or the name of an event"`
	Session string `query:"session"`
	AsOf    string `query:"as_of" maxLength:"40" doc:"only what was recorded at the end of a day (2026-11-23, UTC) or at a moment (RFC 3339)"`
}

type receiptRequest struct {
	Credentials
	ID       string `path:"receipt" doc:"id (rcp_…) or index"`
	Payloads bool   `query:"payloads" doc:"with input, facts and result; decided as payloads/read too"`
}

type proveRequest struct {
	Credentials
	ID string `path:"receipt" doc:"id (rcp_…) or index"`
}

type eraseRequest struct {
	Credentials
	Body Erasure
}

func (a *api) receipts(h huma.API) {
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/receipts", Summary: "List receipts, newest first"}, "receipts/read",
		func(ctx context.Context, _ caller, in *listReceiptsRequest) (Receipts, error) {
			return a.listReceipts(ctx, in)
		})
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/receipts/{receipt}", Summary: "One receipt, with the outcome of a decision"}, "receipts/read", a.showReceipt)
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/receipts/{receipt}/proof", Summary: "The proof that a receipt is in the log (C2SP tlog-proof)"}, "receipts/read",
		func(ctx context.Context, _ caller, in *proveRequest) (Proof, error) {
			leaf, err := a.find(ctx, in.ID)
			if err != nil {
				return Proof{}, err
			}
			proof, err := a.Ledger.Prove(ctx, leaf.Index)
			return Proof{Index: leaf.Index, Leaf: base64.StdEncoding.EncodeToString(leaf.Raw), Proof: string(proof)}, err
		})
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/payloads/erase", Summary: "Erase inputs, facts and results; the receipts stay"}, "payloads/erase", a.erase)
}

// find is the receipt with an id or an index.
func (a *api) find(ctx context.Context, id string) (ledger.Leaf, error) {
	if index, err := strconv.ParseUint(id, 10, 64); err == nil {
		return a.Ledger.Entry(ctx, index)
	}
	return a.Ledger.Find(ctx, id)
}

// How much of the log one request looks at: a filter that matches nothing ends
// with an index at which to go on.
const (
	pageEntries = 512
	maxScanned  = 200_000
)

func (a *api) listReceipts(ctx context.Context, in *listReceiptsRequest) (Receipts, error) {
	size := a.Ledger.Size()
	at, err := AsOf(in.AsOf, a.Now())
	if err == nil && !at.IsZero() {
		size, err = a.Ledger.SizeAt(ctx, at)
	}
	if err != nil {
		return Receipts{Receipts: []Receipt{}}, err
	}
	page := Receipts{Receipts: []Receipt{}, Size: size}
	end := size
	if in.Before > 0 {
		end = min(end, in.Before)
	}
	for scanned := 0; end > 0 && scanned < maxScanned; scanned += pageEntries {
		begin := end - min(end, pageEntries)
		var leaves []ledger.Leaf
		for leaf, err := range a.Ledger.Entries(ctx, begin, end) {
			if err != nil {
				return page, err
			}
			leaves = append(leaves, leaf)
		}
		for _, leaf := range slices.Backward(leaves) {
			if !in.matches(leaf) {
				continue
			}
			page.Receipts = append(page.Receipts, receiptOf(leaf))
			if len(page.Receipts) == in.Limit {
				page.next(leaf.Index)
				return page, nil
			}
		}
		end = begin
	}
	page.next(end)
	return page, nil
}

func (p *Receipts) next(index uint64) {
	if index > 0 {
		p.Next = &index
	}
}

// matches compares with the fields that filters name, whichever kind it is.
func (in *listReceiptsRequest) matches(leaf ledger.Leaf) bool {
	if in.Kind != "" && in.Kind != string(leaf.Kind) {
		return false
	}
	if in.Actor == "" && in.Action == "" && in.Session == "" {
		return true
	}
	var body struct {
		Actor   *receipt.Party `json:"actor"`
		Action  string         `json:"action"`
		Name    string         `json:"name"`
		Session string         `json:"session"`
	}
	if json.Unmarshal(leaf.Body, &body) != nil {
		return false
	}
	return (in.Actor == "" || body.Actor != nil && in.Actor == body.Actor.Type+":"+body.Actor.ID) &&
		(in.Action == "" || in.Action == body.Action || in.Action == body.Name) &&
		(in.Session == "" || in.Session == body.Session)
}

func receiptOf(leaf ledger.Leaf) Receipt {
	r := Receipt{Index: leaf.Index, Time: leaf.Time, Kind: string(leaf.Kind), Body: leaf.Body}
	if leaf.Kind == receipt.OutcomeKind {
		r.Closes = &leaf.Closes
	}
	return r
}

func (a *api) showReceipt(ctx context.Context, _ caller, in *receiptRequest) (Receipt, error) {
	leaf, err := a.find(ctx, in.ID)
	if err != nil {
		return Receipt{}, err
	}
	if !in.Payloads {
		return a.withOutcome(ctx, leaf, nil)
	}
	c, err := a.permit(ctx, in.Authorization, "payloads/read")
	if err != nil {
		return Receipt{}, err
	}
	r, err := a.withOutcome(ctx, leaf, a.payloads)
	a.close(ctx, c, err)
	return r, err
}

// withOutcome is a receipt and, for a decision, the outcome that closed it,
// with what payloads adds to each.
func (a *api) withOutcome(ctx context.Context, leaf ledger.Leaf, payloads func(context.Context, *Receipt) error) (Receipt, error) {
	r := receiptOf(leaf)
	r.Leaf = base64.StdEncoding.EncodeToString(leaf.Raw)
	if leaf.Kind == receipt.DecisionKind {
		outcome, err := a.outcomeOf(ctx, leaf)
		if err != nil {
			return r, err
		}
		r.Outcome = outcome
	}
	if payloads == nil {
		return r, nil
	}
	err := payloads(ctx, &r)
	if err == nil && r.Outcome != nil {
		err = payloads(ctx, r.Outcome)
	}
	return r, err
}

// outcomeOf looks for the outcome among the entries that follow; nil when
// there is none yet.
func (a *api) outcomeOf(ctx context.Context, decision ledger.Leaf) (*Receipt, error) {
	for leaf, err := range a.Ledger.Entries(ctx, decision.Index+1, decision.Index+1+maxScanned) {
		if err != nil {
			return nil, err
		}
		if leaf.Kind == receipt.OutcomeKind && leaf.Closes == decision.Index {
			r := receiptOf(leaf)
			return &r, nil
		}
	}
	return nil, nil
}

func (a *api) payloads(ctx context.Context, r *Receipt) error {
	stored, err := a.Ledger.Payloads(ctx, r.Index)
	for _, s := range stored {
		p := Payload{Name: s.Name, Erased: s.Erased}
		if !s.Erased {
			p.Digest = s.Salt.Digest(s.Data)
			p.Salt = base64.StdEncoding.EncodeToString(s.Salt[:])
			if json.Valid(s.Data) {
				p.JSON = s.Data
			} else {
				p.Data = base64.StdEncoding.EncodeToString(s.Data)
			}
		}
		r.Payloads = append(r.Payloads, p)
	}
	return err
}

func (a *api) erase(ctx context.Context, c caller, in *eraseRequest) (Erased, error) {
	done := Erased{Receipts: []string{}}
	stretches, err := a.toErase(ctx, in.Body)
	if err != nil {
		return done, err
	}
	for _, s := range stretches {
		var kept []uint64
		if in.Body.ID == "" { // who names a receipt means it
			if kept, err = Documented(ctx, a.Register, a.Corrective, s[0], s[1]+1); err != nil {
				return done, err
			}
		}
		refs, err := a.Ledger.Erase(ctx, ledger.Erasure{
			Erasure: receipt.Erasure{From: s[0], To: s[1], Names: PayloadNames(), Rule: in.Body.Rule},
			Actor:   c.Actor, Decision: c.Receipt, Spare: kept,
		})
		if err != nil {
			return done, err
		}
		for _, ref := range refs {
			id, err := a.eventID(ctx, ref.Index)
			if err != nil {
				return done, err
			}
			done.Receipts = append(done.Receipts, id)
		}
	}
	return done, nil
}

// Documented are the entries of the log, from one up to, not including, another,
// whose content is documented information of the management system (ISO 42001
// 7.5.3). An erasure by age spares them; how long they are kept is for a
// retention rule of the organisation to say.
func Documented(ctx context.Context, r *register.Register, c *corrective.Corrective, from, to uint64) ([]uint64, error) {
	records, err := r.Entries(ctx, from, to)
	if err != nil {
		return nil, err
	}
	cases, err := c.Entries(ctx, from, to)
	if err != nil {
		return nil, err
	}
	kept := slices.Concat(records, cases)
	slices.Sort(kept)
	return kept, nil
}

// PayloadNames are the names of all payloads.
func PayloadNames() []string {
	return []string{receipt.FactsPayload, receipt.InputPayload, receipt.ResultPayload}
}

func (a *api) eventID(ctx context.Context, index uint64) (string, error) {
	leaf, err := a.Ledger.Entry(ctx, index)
	if err != nil {
		return "", err
	}
	e, err := receipt.DecodeEvent(leaf.Body)
	if err != nil {
		return "", aims.Errorf(aims.Internal, err, "the receipt of the erasure cannot be read")
	}
	return e.ID, nil
}

// toErase is the stretches of the log, first and last entry of each, whose
// payloads are to be erased: of one receipt, a decision's with its outcome's,
// or of all before a time.
func (a *api) toErase(ctx context.Context, ask Erasure) ([][2]uint64, error) {
	if (ask.ID == "") == (ask.OlderThanSeconds == 0) {
		return nil, aims.Errorf(aims.Invalid, nil, "expected either id or older_than_seconds")
	}
	if ask.ID == "" {
		end, err := FirstSince(ctx, a.Ledger, a.Now().Add(-time.Duration(ask.OlderThanSeconds)*time.Second))
		if err != nil || end == 0 {
			return nil, err
		}
		return [][2]uint64{{0, end - 1}}, nil
	}
	leaf, err := a.find(ctx, ask.ID)
	if err != nil {
		return nil, err
	}
	stretches := [][2]uint64{{leaf.Index, leaf.Index}}
	if leaf.Kind != receipt.DecisionKind {
		return stretches, nil
	}
	outcome, err := a.outcomeOf(ctx, leaf)
	if err != nil || outcome == nil {
		return stretches, err
	}
	return append(stretches, [2]uint64{outcome.Index, outcome.Index}), nil
}

// FirstSince is the index of the first entry at a time or later, or the size
// of the log. Times do not decrease along the log, so it is found by bisection.
func FirstSince(ctx context.Context, l *ledger.Ledger, at time.Time) (uint64, error) {
	var failure error
	n := sort.Search(int(l.Size()), func(i int) bool {
		if failure != nil {
			return true
		}
		leaf, err := l.Entry(ctx, uint64(i))
		failure = errors.Join(failure, err)
		return err != nil || !leaf.Time.Before(at)
	})
	return uint64(n), failure
}

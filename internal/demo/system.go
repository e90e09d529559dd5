package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"aims/examples"
	"aims/internal/aims"
	"aims/internal/api"
	"aims/internal/corrective"
	"aims/internal/evidence"
	"aims/internal/evidence/audit"
	"aims/internal/evidence/criteria"
	tests "aims/internal/evidence/observed"
	"aims/internal/evidence/pack"
	"aims/internal/evidence/soa"
	"aims/internal/register/record"
	"aims/receipt"
)

// released are the kinds of record that the example's director releases: what
// the standard's practice asks another person than the author for.
func released() []string {
	return []string{"scope", "document", "risk_criteria", "impact_assessment", "applicability", "change", "resource_plan", "audit_programme"}
}

// system shows the other half: the registers of the example organisation are
// applied by one person and approved by another, and what is shown of the 70
// requirements follows from them and from what the agent just did.
func (d *demonstration) system(ctx context.Context, manage *api.Client) (bool, error) {
	d.chapter("The management system follows from files and from that record.")
	manager, err := d.person(ctx, manage, "mara", "aims_manager")
	if err != nil {
		return false, err
	}
	director, err := d.person(ctx, manage, "henrik", "top_management")
	if err != nil {
		return false, err
	}
	records, err := d.apply(ctx, manager)
	if err != nil {
		return false, err
	}
	d.check(true, "Mara Lindqvist applied the %d records of a printing house, in one transaction (%s)", records, d.path("registers"))
	approved, own, err := d.approve(ctx, manager, director)
	if err != nil {
		return false, err
	}
	d.check(own, "she cannot approve what she wrote herself")
	d.check(approved > 0, "Henrik Vosskamp approved %d of them, each version by its digest", approved)
	shown, err := d.shown(ctx, manager)
	if err != nil {
		return false, err
	}
	var status api.Status
	if err := manage.Do(ctx, http.MethodGet, "/api/v1/status", nil, &status); err != nil {
		return false, err
	}
	audited, err := d.audit(ctx, manage)
	if err != nil {
		return false, err
	}
	packed, err := d.pack(ctx, manager, status.Verifier)
	return own && approved > 0 && shown && audited && packed, err
}

// audit lets the internal auditor test everything that was recorded, and raise
// what she found: a tool that changed and that nobody has looked at.
func (d *demonstration) audit(ctx context.Context, manage *api.Client) (bool, error) {
	const path = "/api/v1/audits/suppliers-and-data"
	auditor, err := d.person(ctx, manage, "nadia", "auditor")
	if err != nil {
		return false, err
	}
	results, err := tested(ctx, auditor, path+"/run")
	if err != nil {
		return false, err
	}
	good := false
	for _, r := range results {
		if r.Test == tests.TestDecisions {
			good = r.State == receipt.Passed && r.Exceptions == 0
			d.check(good, "Nadia Keller, who owns nothing that she audits, made all %d decisions again from their recorded policies and facts: %d came out otherwise", r.Population, r.Exceptions)
		}
		if r.State == receipt.Broken {
			return false, fmt.Errorf("the audit's test %s found %v", r.Test, r.First)
		}
	}
	var found audit.Finding
	err = auditor.Do(ctx, http.MethodPost, path+"/findings", audit.NewFinding{
		Requirement: "8.1", Grade: corrective.Minor, Responsible: "jonas",
		Statement: "The definition of payments___transfer_funds changed. It is refused since then, and nobody has decided about it.",
	}, &found)
	if err != nil {
		return false, err
	}
	d.check(true, "she raised a finding, to be corrected by Jonas: the tool that changed waits for a decision (%s)", found.Nonconformity)
	return good, nil
}

// tested are the results of a run of an audit's tests.
func tested(ctx context.Context, auditor *api.Client, path string) ([]audit.Result, error) {
	body, err := auditor.Open(ctx, http.MethodPost, path, nil)
	if err != nil {
		return nil, err
	}
	defer body.Close() // read only
	lines := json.NewDecoder(body)
	for {
		var line api.AuditLine
		if err := lines.Decode(&line); err != nil {
			return nil, fmt.Errorf("the audit's tests broke off: %w", err)
		}
		switch {
		case line.Problem != nil:
			return nil, fmt.Errorf("the audit's tests: %s", line.Problem.Detail)
		case line.Results != nil:
			return line.Results, nil
		}
	}
}

// person makes the key of a person of the example and keeps it in a file.
func (d *demonstration) person(ctx context.Context, manage *api.Client, id, role string) (*api.Client, error) {
	var key api.KeySecret
	ask := api.NewKey{Actor: api.Actor{Type: aims.PersonType, ID: id}, Roles: []string{role}}
	if err := manage.Do(ctx, http.MethodPost, "/api/v1/keys", ask, &key); err != nil {
		return nil, fmt.Errorf("the key of %s: %w", id, err)
	}
	if err := os.WriteFile(d.path(id+".key"), []byte(key.Secret+"\n"), 0o600); err != nil {
		return nil, err
	}
	return api.NewClient(d.app.URL(), key.Secret)
}

// apply lays the example's files down and applies them.
func (d *demonstration) apply(ctx context.Context, manager *api.Client) (records int, err error) {
	files, err := examples.Files(d.Now())
	if err != nil {
		return 0, err
	}
	dir := d.path("registers")
	for name, text := range files {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			return 0, err
		}
		if err := os.WriteFile(at, text, 0o600); err != nil {
			return 0, err
		}
	}
	read, err := record.ReadDir(os.DirFS(dir))
	if err != nil {
		return 0, err
	}
	ask := api.RegisterFiles{Whole: true}
	read.Each(func(kind, _ string, rec any) {
		ask.Records = append(ask.Records, api.RegisterRecord{Kind: kind, Record: json.RawMessage(record.Canonical(rec))})
	})
	var plan api.RegisterPlan
	err = manager.Do(ctx, http.MethodPost, "/api/v1/registers-apply", ask, &plan)
	return len(plan.Changes), err
}

// approve lets the director approve, after the manager tried to.
func (d *demonstration) approve(ctx context.Context, manager, director *api.Client) (approved int, own bool, err error) {
	var state api.RegisterState
	if err := manager.Do(ctx, http.MethodGet, "/api/v1/registers", nil, &state); err != nil {
		return 0, false, err
	}
	for _, r := range state.Records {
		if !slices.Contains(released(), r.Kind) {
			continue
		}
		var named struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(r.Record, &named); err != nil {
			return 0, false, err
		}
		ask := api.RegisterMark{Mark: "approve", Kind: r.Kind, ID: named.ID, Digest: r.Version.Digest}
		if !own {
			own = manager.Do(ctx, http.MethodPost, "/api/v1/registers-marks", ask, nil) != nil
		}
		if err := director.Do(ctx, http.MethodPost, "/api/v1/registers-marks", ask, nil); err != nil {
			return approved, own, fmt.Errorf("approving %s %s: %w", r.Kind, named.ID, err)
		}
		approved++
	}
	return approved, own, nil
}

// shown prints what is shown of the requirements, and what to do first.
func (d *demonstration) shown(ctx context.Context, manager *api.Client) (bool, error) {
	var gap evidence.Gap
	if err := manager.Do(ctx, http.MethodGet, "/api/v1/evidence", nil, &gap); err != nil {
		return false, err
	}
	counts := map[criteria.State]int{}
	for _, r := range gap.Requirements {
		counts[r.State]++
	}
	var parts []string
	for state, n := range counts {
		parts = append(parts, fmt.Sprintf("%d %s", n, soa.Words(state)))
	}
	slices.Sort(parts)
	d.check(len(gap.Requirements) == 70, "evidence towards ISO/IEC 42001:2023, %d requirements and controls: %s", len(gap.Requirements), strings.Join(parts, "; "))
	return len(gap.Requirements) == 70, nil
}

// pack makes the pack that an auditor gets, and verifies it as the auditor does.
func (d *demonstration) pack(ctx context.Context, manager *api.Client, verifier string) (bool, error) {
	today := d.Now().UTC()
	path := fmt.Sprintf("/api/v1/pack?from=%s&until=%s&for=stage1", today.AddDate(0, -1, 0).Format(time.DateOnly), today.Format(time.DateOnly))
	body, err := manager.Open(ctx, http.MethodGet, path, nil)
	if err != nil {
		return false, err
	}
	defer body.Close() // read only
	name := d.path("audit-pack.zip")
	f, err := os.Create(name)
	if err != nil {
		return false, err
	}
	if _, err := io.Copy(f, body); err != nil {
		f.Close() // the copy failed
		return false, err
	}
	if err := f.Close(); err != nil {
		return false, err
	}
	p, err := pack.Open(name)
	if err != nil {
		return false, err
	}
	defer p.Close() // read only
	trust, err := receipt.NewTrust(verifier, nil, 0)
	if err != nil {
		return false, err
	}
	r, err := p.Verify(ctx, receipt.Options{Trust: trust}, nil)
	if err != nil {
		return false, err
	}
	d.check(r.Verified(), "the auditor's pack verifies without this installation: log, registers, criteria, statement of applicability and pages, each derived again (%s)", name)
	return r.Verified(), nil
}

package criteria

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"aims/internal/evidence/observed"
	"aims/internal/register/record"
	"aims/iso42001"
)

// All are the criteria in the order of the standard, clauses first.
func All() []Criterion {
	all := slices.Concat(clause4(), clause5(), clause6(), clause7(), clause8(), clause9(), clause10(), controls())
	todo, first := remedies(), beginnings()
	for i := range all {
		all[i].Remedy, all[i].Begin = todo[all[i].ID], first[all[i].ID]
	}
	return all
}

// Evaluate says of each of the 70 requirements, in the order of the standard,
// what is shown. Ids in the records that are none of them are an error, so that
// nobody takes a made-up requirement for one that is looked after.
func Evaluate(given *Input) ([]Status, error) {
	in := given.prepare()
	if err := in.unknown(); err != nil {
		return nil, err
	}
	var list []Status
	for _, r := range iso42001.Requirements() {
		list = append(list, in.status(r))
	}
	return list, nil
}

// prepare is the input with what makes it quick to ask.
func (in *Input) prepare() *Input {
	out := *in
	if out.Observed == nil {
		out.Observed = &observed.Facts{}
	}
	out.memory = remember()
	return &out
}

func (in *Input) status(r iso42001.Requirement) Status {
	s := Status{ID: r.ID, Title: r.DisplayTitle, Area: r.Area, Ceiling: string(r.Ceiling), NotShown: r.NotShownByMachine, Reasons: []string{}, Results: []Result{}}
	if o, ok := get(in.Registers.Registers.Owners, r.ID); ok {
		s.Owner, s.Due = o.Owner, string(o.Due)
	} else if a, _, decided := in.applicability(r.ID); decided {
		s.Owner = a.Owner
	}
	since, flows := int64(0), false
	for _, c := range in.memory.criteria[r.ID] {
		result, n := in.run(c)
		s.Results = append(s.Results, result)
		since, flows = max(since, n.changed), flows || n.flows
	}
	for _, own := range in.Own {
		if own.Requirement == r.ID {
			s.Results, flows = append(s.Results, own), true
		}
	}
	mark, counts, attested := in.Registers.Attested(r.ID, in.today())
	if attested {
		s.Attestation = &mark
	}
	if in.leftOut(r, &s) {
		return s
	}
	s.State = in.state(&s, r.Ceiling, attested, counts)
	if s.State == Shown && attested {
		since = max(since, mark.At)
	}
	if settled := s.State == Shown || s.State == Evidence || s.State == Exceptions; settled && !flows && since > 0 {
		s.Since = time.UnixMicro(since).UTC().Format(time.RFC3339)
	}
	if done := s.State == Shown || s.State == Evidence; s.Due != "" && record.Date(s.Due) < in.today() && !done {
		s.Reasons = append(s.Reasons, "It was to be in place by "+s.Due+".")
	}
	return s
}

// leftOut fills the status of a control that the approved statement of
// applicability leaves out. A decision that nobody approved leaves out nothing.
func (in *Input) leftOut(r iso42001.Requirement, s *Status) bool {
	a, applies, decided := in.applicability(r.ID)
	if r.Kind != iso42001.Control || !decided || applies {
		return false
	}
	m, ok := in.approval("applicability", r.ID)
	if !ok {
		s.Reasons = append(s.Reasons, fmt.Sprintf("The decision to leave it out has no approval, so it is looked at like the others. To do: Have somebody other than its author approve it: `aims approve applicability %s`.", r.ID))
		return false
	}
	s.State = NotApplicable
	s.Since = time.UnixMicro(m.At).UTC().Format(time.RFC3339)
	s.Reasons = append(s.Reasons, fmt.Sprintf("Left out of the statement of applicability, approved by %s on %s: %s", m.By, dayOf(m.At), a.Justification))
	if strings.TrimSpace(a.Justification) == "" {
		s.Reasons[len(s.Reasons)-1] = "Left out of the statement of applicability without a reason; the approval alone is no justification. To do: Enter the justification, and have it approved again."
		s.State = Exceptions
	}
	return true
}

// state is what results and attestation come to, and says why.
func (in *Input) state(s *Status, ceiling iso42001.Mode, attested, counts bool) State {
	count := map[Outcome]int{}
	for _, r := range s.Results {
		count[r.Outcome]++
		if why := r.reason(); why != "" {
			s.Reasons = append(s.Reasons, why)
		}
	}
	all := len(s.Results)
	switch {
	case count[NotMet] > 0 && counts:
		m := s.Attestation
		s.Reasons = slices.Insert(s.Reasons, 0, fmt.Sprintf("%s attested on %s that it is met, and the records show exceptions: this contradiction is a finding. To do: Mend what the records show, or withdraw the attestation: `aims withdraw`.", m.By, dayOf(m.At)))
		return Contradiction
	case count[NotMet] > 0:
		return Exceptions
	case all == 0:
		s.Reasons = append(s.Reasons, "Nothing is looked at here yet.")
		return NothingToShow
	case count[OutOfDate] > 0:
		return Stale
	case count[Met] == 0:
		if counts {
			s.Reasons = append(s.Reasons, fmt.Sprintf("%s attested it on %s, and no record shows it.", s.Attestation.By, dayOf(s.Attestation.At)))
		}
		return NothingToShow
	case count[Met] < all:
		return Partial
	case ceiling == iso42001.Automatic || counts:
		return Shown
	case attested:
		s.Reasons = append(s.Reasons, fmt.Sprintf("The attestation of %s of %s ended on %s. To do: Look again, and attest it anew: `aims attest %s`.", s.Attestation.By, dayOf(s.Attestation.At), s.Attestation.Until, s.ID))
		return Stale
	}
	s.Reasons = append(s.Reasons, fmt.Sprintf("The records show it; a person has yet to attest what they cannot show: %s To do: Look at that, and state it: `aims attest %s`.", s.NotShown, s.ID))
	return Evidence
}

// unknown finds ids that are none of the 70 in what the organisation wrote.
func (in *Input) unknown() error {
	var wrong []error
	check := func(on string, ids ...string) {
		for _, id := range ids {
			if _, err := iso42001.Get(id); err != nil {
				wrong = append(wrong, fmt.Errorf("%s: %w", on, err))
			}
		}
	}
	r := in.Registers.Registers
	for _, o := range r.Owners {
		check("requirement_owner/"+o.ID, o.ID)
	}
	for _, a := range r.Applicability {
		check("applicability/"+a.ID, a.ID)
	}
	for _, d := range r.Documents {
		check("document/"+d.ID, slices.Concat(d.Requirements, d.Items)...)
	}
	for _, o := range r.OwnCriteria {
		check("own_criterion/"+o.ID, o.Requirement)
	}
	for _, x := range r.Risks {
		check("risk/"+x.ID, x.Controls...)
	}
	for _, t := range r.Treatments {
		check("treatment/"+t.ID, t.Controls...)
	}
	areas := func(on string, ids []string) {
		for _, id := range ids {
			if !slices.ContainsFunc(iso42001.Requirements(), func(q iso42001.Requirement) bool { return covers([]string{id}, q.ID) }) {
				check(on, id)
			}
		}
	}
	for _, a := range r.Audits {
		areas("audit/"+a.ID, a.Requirements)
	}
	for _, p := range r.AuditProgrammes {
		for _, a := range p.Audits {
			areas("audit_programme/"+p.ID, a.Requirements)
		}
	}
	for _, o := range in.Own {
		check("own criterion "+o.Criterion, o.Requirement)
	}
	for _, m := range in.Registers.Marks {
		if m.On == record.OnRequirement {
			check("the mark of "+m.By+" in receipt "+m.Receipt, m.ID)
		}
	}
	return errors.Join(wrong...)
}

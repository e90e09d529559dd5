package criteria

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"aims/internal/evidence/observed"
	"aims/internal/register/record"
)

// Questions about the registers that several criteria ask.

const (
	month   = 31 * 24 * time.Hour
	quarter = 92 * 24 * time.Hour
)

func day(t time.Time) record.Date { return record.Date(t.UTC().Format(time.DateOnly)) }

func dayOf(micros int64) record.Date { return day(time.UnixMicro(micros)) }

// plus is a day some days later; a day that is not known stays so.
func plus(d record.Date, days int) record.Date {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return ""
	}
	return day(t.AddDate(0, 0, days))
}

// today is the day as of which the records are judged.
func (in *Input) today() record.Date { return day(in.Until) }

// on says whether a day lies in the period.
func (in *Input) on(d record.Date) bool {
	return d != "" && d >= day(in.From) && d <= in.today()
}

// happened says whether a day has come: what is dated in the future shows
// nothing yet.
func (in *Input) happened(d record.Date) bool { return d != "" && d <= in.today() }

// entered is the day on which a record came into the registers; "" if not known.
func (in *Input) entered(kind, id string) record.Date {
	key := record.Key{Kind: kind, ID: id}
	if all := in.Registers.Changes[key]; len(all) > 0 {
		return dayOf(all[0].At)
	}
	if v, ok := in.Registers.Versions[key]; ok {
		return dayOf(v.At)
	}
	return ""
}

// look looks at a record and notes where its text came from. A record with texts
// that are still to be written shows nothing.
func (in *Input) look(n *Count, kind, id string, holds bool, format string, args ...any) {
	in.saw(n, kind, id)
	if field := in.unfilled(kind, id); holds && field != "" {
		n.Look(false, kind+"/"+id, "is a draft: %s is still to be written", field)
		return
	}
	n.Look(holds, kind+"/"+id, format, args...)
}

func (in *Input) past(n *Count, kind, id string, format string, args ...any) {
	in.saw(n, kind, id)
	n.Past(kind+"/"+id, format, args...)
}

// saw notes a record as evidence.
func (in *Input) saw(n *Count, kind, id string) {
	if v, ok := in.Registers.Versions[record.Key{Kind: kind, ID: id}]; ok {
		n.saw(v.At, v.Receipt)
		n.changed = max(n.changed, v.At)
	}
}

// mark notes a person's mark as evidence.
func (n *Count) mark(m record.Mark) {
	n.saw(m.At, m.Receipt)
	n.changed = max(n.changed, m.At)
}

// approved is the current approval of a record.
func (in *Input) approved(n *Count, kind, id string) (record.Mark, bool) {
	m, ok := in.approval(kind, id)
	if ok {
		n.mark(m)
	}
	return m, ok
}

// inForce judges a record that has to be approved and reviewed by its day.
func (in *Input) inForce(n *Count, kind string, b record.Base) {
	switch _, ok := in.approved(n, kind, b.ID); {
	case !ok:
		in.look(n, kind, b.ID, false, "has no approval of its present version by somebody other than its author")
	case b.ReviewBy != "" && b.ReviewBy < in.today():
		in.past(n, kind, b.ID, "was to be reviewed by %s", b.ReviewBy)
	default:
		in.look(n, kind, b.ID, true, "")
		n.Until(b.ReviewBy)
	}
}

// isInForce is inForce as an answer.
func (in *Input) isInForce(kind string, b record.Base) bool {
	_, ok := in.approval(kind, b.ID)
	return ok && (b.ReviewBy == "" || b.ReviewBy >= in.today())
}

// inScope are the agents whose record says that they are in scope.
func (in *Input) inScope() []record.Agent {
	var list []record.Agent
	for _, a := range in.Registers.Registers.Agents {
		if a.InScope != nil && *a.InScope {
			list = append(list, a)
		}
	}
	return list
}

func (in *Input) agent(id string) (record.Agent, bool) {
	return get(in.Registers.Registers.Agents, id)
}

func find[T any](list []T, is func(T) bool) (found T, ok bool) {
	if i := slices.IndexFunc(list, is); i >= 0 {
		return list[i], true
	}
	return found, false
}

// documents are those of some types.
func (in *Input) documents(types ...string) []record.Document {
	var list []record.Document
	for _, d := range in.Registers.Registers.Documents {
		if slices.Contains(types, d.Type) {
			list = append(list, d)
		}
	}
	return list
}

// holding says whether an assignment is in force on a day. Somebody who left
// holds nothing.
func (in *Input) holding(a record.Assignment, on record.Date) bool {
	p, known := get(in.Registers.Registers.People, a.Person)
	return known && (p.Left == "" || p.Left > on) && a.From <= on && (a.Until == "" || a.Until >= on)
}

// roles are those that a person holds on a day.
func (in *Input) roles(person string, on record.Date) []record.Role {
	list, known := in.memory.roles[holder{person, on}]
	if known {
		return list
	}
	for _, a := range in.Registers.Registers.Assignments {
		if a.Person != person || !in.holding(a, on) {
			continue
		}
		if r, ok := get(in.Registers.Registers.Roles, a.Role); ok {
			list = append(list, r)
		}
	}
	in.memory.roles[holder{person, on}] = list
	return list
}

// leads says whether a person belongs to top management on a day.
func (in *Input) leads(person string, on record.Date) bool {
	return slices.ContainsFunc(in.roles(person, on), func(r record.Role) bool { return r.TopManagement })
}

// holders are the people who hold a role on a day.
func (in *Input) holders(role string, on record.Date) []string {
	var list []string
	for _, a := range in.Registers.Registers.Assignments {
		if a.Role == role && in.holding(a, on) && !slices.Contains(list, a.Person) {
			list = append(list, a.Person)
		}
	}
	return list
}

// readers are the people who must know a document: holders of the roles that it
// is distributed to, or everybody where it names none.
func (in *Input) readers(d record.Document) []record.Person {
	var list []record.Person
	for _, p := range in.Registers.Registers.People {
		here := p.Left == "" || p.Left > in.today()
		named := len(d.Distribution) == 0 || slices.ContainsFunc(in.roles(p.ID, in.today()), func(r record.Role) bool {
			return slices.Contains(d.Distribution, r.ID)
		})
		if here && named {
			list = append(list, p)
		}
	}
	return list
}

// lacks says what a person lacks on a day of what a role asks for; "" for nothing.
func (in *Input) lacks(person string, r record.Role, on record.Date) string {
	for _, id := range r.Competences {
		c, known := get(in.Registers.Registers.Competences, id)
		if !known || !slices.ContainsFunc(in.Registers.Registers.Training, func(t record.Training) bool {
			failed := t.Effective != nil && !*t.Effective
			return t.Person == person && t.Competence == id && t.On <= on && !failed &&
				(c.ValidDays == 0 || plus(t.On, c.ValidDays) >= on)
		}) {
			return id
		}
	}
	return ""
}

// concerns says whether a list of agents names one; an empty list means all.
func concerns(agents []string, id string) bool {
	return len(agents) == 0 || slices.Contains(agents, id)
}

// covers says whether a list of requirements names one, itself or by an area.
func covers(list []string, requirement string) bool {
	return slices.ContainsFunc(list, func(l string) bool {
		return l == requirement || strings.HasPrefix(requirement, l+".")
	})
}

// newestRisk is when the risks of an agent were last assessed.
func (in *Input) newestRisk(n *Count, agent string) record.Date {
	var newest record.Date
	for _, r := range in.Registers.Registers.Risks {
		if concerns(r.Agents, agent) && r.Assessed > newest {
			newest = r.Assessed
			in.saw(n, "risk", r.ID)
		}
	}
	return newest
}

// impact is the newest impact assessment of an agent.
func (in *Input) impact(agent string) (newest record.ImpactAssessment, ok bool) {
	for _, a := range in.Registers.Registers.Impacts {
		if slices.Contains(a.Agents, agent) && (!ok || a.Assessed > newest.Assessed) {
			newest, ok = a, true
		}
	}
	return newest, ok
}

// applicability is the decision on a control; applies is false unless it says so.
func (in *Input) applicability(control string) (a record.Applicability, applies, decided bool) {
	a, ok := get(in.Registers.Registers.Applicability, control)
	return a, ok && a.Applicable != nil && *a.Applicable, ok && a.Applicable != nil
}

// erased says which texts of records of some kinds retention took away; "" for none.
func (in *Input) erased(kinds []string) string {
	for _, e := range in.Observed.Erasures {
		var gone []string
		for key, v := range in.Registers.Versions {
			if slices.Contains(kinds, key.Kind) && takes(e, v) {
				gone = append(gone, key.Kind+"/"+key.ID)
			}
		}
		if len(gone) > 0 {
			slices.Sort(gone)
			return fmt.Sprintf("The text of %s was erased under rule %q on %s, so that this cannot be derived again.", names(gone), e.Rule, dayOf(e.At))
		}
	}
	return ""
}

// takes says whether an erasure took the text of a version of a record.
func takes(e observed.Erasure, v record.Version) bool {
	return v.Index >= e.From && v.Index <= e.To && (len(e.Names) == 0 || slices.Contains(e.Names, "input"))
}

// names lists a few of many.
func names(list []string) string {
	const most = 5
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}

// anyRecord is a record of whatever kind.
type anyRecord interface{ Common() record.Base }

// get finds a record by its id.
func get[T anyRecord](list []T, id string) (T, bool) {
	return find(list, func(r T) bool { return r.Common().ID == id })
}

// covering finds documents that serve a requirement.
func covering(requirement string) func(record.Document) bool {
	return func(d record.Document) bool {
		return slices.Contains(d.Requirements, requirement) || slices.Contains(d.Items, requirement)
	}
}

// sorted are the keys of a map in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

package session

import "slices"

// lists are those of a run that are replaced whenever they change, and that
// never become empty again.
func (r *Run) lists() []*[]string { return []*[]string{&r.Labels, &r.Tools, &r.Said, &r.Overflow} }

// lacks says whether a list is empty now that was not.
func (r *Run) lacks(before *Run) bool {
	old := before.lists()
	for i, list := range r.lists() {
		if len(*list) == 0 && len(*old[i]) > 0 {
			return true
		}
	}
	return len(r.Chain) == 0 && len(before.Chain) > 0 || len(r.Prompts) == 0 && len(before.Prompts) > 0
}

// without is the run without those lists that are as they were before.
func (r *Run) without(before *Run) *Run {
	n := *r
	old := before.lists()
	for i, list := range n.lists() {
		if same(*list, *old[i]) {
			*list = nil
		}
	}
	if same(n.Chain, before.Chain) {
		n.Chain = nil
	}
	if same(n.Prompts, before.Prompts) {
		n.Prompts = nil
	}
	return &n
}

// same says whether two lists are one, in the same place. Where it does not
// say so they may still be equal.
func same[T any](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// unreportedSince are the unreported calls that are new, and the decisions of
// those that are not among them any more.
func (r *Run) unreportedSince(before *Run) (added []Unreported, gone []int64) {
	added = r.Unreported
	for _, u := range before.Unreported {
		if len(added) > 0 && added[0].Decision == u.Decision {
			added = added[1:]
		} else {
			gone = append(gone, u.Decision)
		}
	}
	return added, gone
}

// fillFrom makes what without and unreportedSince left the run again.
func (r *Run) fillFrom(before *Run, gone []int64) {
	old := before.lists()
	for i, list := range r.lists() {
		if len(*list) == 0 {
			*list = *old[i]
		}
	}
	if len(r.Chain) == 0 {
		r.Chain = before.Chain
	}
	if len(r.Prompts) == 0 {
		r.Prompts = before.Prompts
	}
	kept := slices.DeleteFunc(slices.Clone(before.Unreported), func(u Unreported) bool { return slices.Contains(gone, u.Decision) })
	r.Unreported = append(kept, r.Unreported...)
}

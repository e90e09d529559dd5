package policy

import "aims/internal/aims"

// State is where a bundle is in its life: in review, and in each environment.
type State string

// The states of review, then those in an environment.
const (
	Unpublished State = "unpublished" // nobody gave it to review
	Published   State = "published"
	Approved    State = "approved"

	Idle      State = "idle" // never active there
	Active    State = "active"
	Replaced  State = "replaced"  // another was activated
	Withdrawn State = "withdrawn" // it was rolled back
)

// occurrence is what happens to a bundle.
type occurrence string

const (
	publish occurrence = "publish"
	approve occurrence = "approve"

	activate occurrence = "activate"
	replace  occurrence = "replace"  // another is activated
	withdraw occurrence = "withdraw" // a rollback leaves it
	restore  occurrence = "restore"  // a rollback goes to it
)

// step is a state and what happens in it.
type step struct {
	in State
	on occurrence
}

// next gives the state after an event; what is not in the table is refused
// with aims.Conflict.
func next(in State, on occurrence) (State, error) {
	to, ok := map[step]State{
		{Unpublished, publish}: Published,
		{Published, approve}:   Approved,
		{Approved, approve}:    Approved, // by one more person

		{Idle, activate}:      Active,
		{Replaced, activate}:  Active,
		{Withdrawn, activate}: Active,
		{Active, replace}:     Replaced,
		{Active, withdraw}:    Withdrawn,
		{Replaced, restore}:   Active,
		{Withdrawn, restore}:  Active,
	}[step{in, on}]
	if !ok {
		return in, aims.Errorf(aims.Conflict, nil, "the policy bundle is %s: it cannot %s", in, words(on))
	}
	return to, nil
}

func words(on occurrence) string {
	switch on {
	case publish:
		return "be published again"
	case approve:
		return "be approved"
	case activate:
		return "be activated"
	}
	return string(on)
}

package corrective

import "aims/internal/aims"

// State is where a case or an action is.
type State string

// The states of nonconformities and opportunities.
const (
	Raised      State = "raised"
	Corrected   State = "corrected"   // the thing itself is put right, or contained
	Analysed    State = "analysed"    // extent and root cause are known
	Planned     State = "planned"     // actions with owners and due dates
	Implemented State = "implemented" // every action is done
	Verified    State = "verified"    // the actions were effective
	Closed      State = "closed"      // also of incidents and concerns
	Reopened    State = "reopened"    // it came back, or the actions did not help
	Withdrawn   State = "withdrawn"   // raised in error
	Waived      State = "waived"      // accepted as it is
	Merged      State = "merged"      // the same cause as another one, which is open again
)

// The states of incidents.
const (
	Reported  State = "reported" // also of concerns
	Contained State = "contained"
	Resolved  State = "resolved"
)

// The states of concerns, beside Reported and Closed.
const (
	Acknowledged State = "acknowledged"
	Triaged      State = "triaged"
	Answered     State = "answered"
)

// The states of actions, beside Planned and Implemented.
const (
	Effective   State = "effective"
	Ineffective State = "ineffective"
	Dropped     State = "dropped" // another plan replaced it
)

// Event is what can happen to a case. Its receipt is named <kind>.<event>.
type Event string

// The events of nonconformities and opportunities.
const (
	WasRaised      Event = "raised"
	WasObserved    Event = "observed" // once more, while it is open
	WasCorrected   Event = "corrected"
	WasAnalysed    Event = "analysed"
	WasPlanned     Event = "planned"
	ActionDone     Event = "acted"       // one action is implemented, and others are not
	WasImplemented Event = "implemented" // the last action is
	WasVerified    Event = "verified"
	WasRefuted     Event = "refuted" // the review found that the actions did not help
	WasClosed      Event = "closed"
	WasReopened    Event = "reopened"
	Recurred       Event = "recurred"
	WasWithdrawn   Event = "withdrawn"
	WasWaived      Event = "waived"
	WasMerged      Event = "merged"
)

// The events of incidents and concerns.
const (
	WasReported     Event = "reported"
	WasNoted        Event = "noted"
	WasAssessed     Event = "assessed"
	WasContained    Event = "contained"
	WasDecided      Event = "decided"  // whether anybody is told
	WasNotified     Event = "notified" // somebody was
	WasLinked       Event = "linked"   // a nonconformity was raised because of it
	WasResolved     Event = "resolved"
	WasSupplemented Event = "supplemented" // by whoever raised the concern
	WasAcknowledged Event = "acknowledged"
	WasTriaged      Event = "triaged"
	WasAnswered     Event = "answered"
)

// machine is a whole life: what does not stand here cannot happen. The state ""
// is that of what does not exist yet.
type machine map[State]map[Event]State

// lifeOf is the machine of a case.
func lifeOf(k Kind, g Grade) machine {
	switch {
	case k == IncidentKind:
		return incidentLife
	case k == ConcernKind:
		return concernLife
	case g == Opportunity:
		return opportunityLife
	}
	return nonconformityLife
}

var nonconformityLife = machine{
	"":          {WasRaised: Raised},
	Raised:      {WasObserved: Raised, WasCorrected: Corrected, WasWithdrawn: Withdrawn, WasWaived: Waived},
	Corrected:   {WasObserved: Corrected, WasAnalysed: Analysed, WasMerged: Merged, WasWithdrawn: Withdrawn, WasWaived: Waived},
	Analysed:    {WasObserved: Analysed, WasAnalysed: Analysed, WasMerged: Merged, WasPlanned: Planned, WasWaived: Waived},
	Planned:     {WasObserved: Planned, WasPlanned: Planned, ActionDone: Planned, WasImplemented: Implemented, WasWaived: Waived},
	Implemented: {WasVerified: Verified, WasRefuted: Reopened, WasReopened: Reopened, Recurred: Reopened},
	Verified:    {WasClosed: Closed, WasReopened: Reopened, Recurred: Reopened},
	Closed:      {WasReopened: Reopened, Recurred: Reopened},
	Reopened:    {WasObserved: Reopened, WasCorrected: Corrected, WasWaived: Waived},
	Withdrawn:   {WasReopened: Reopened},
	Waived:      {WasReopened: Reopened},
}

// An opportunity for improvement has nothing to correct and no cause.
var opportunityLife = machine{
	"":          {WasRaised: Raised},
	Raised:      {WasPlanned: Planned, WasWithdrawn: Withdrawn, WasWaived: Waived},
	Planned:     {WasPlanned: Planned, ActionDone: Planned, WasImplemented: Implemented, WasWaived: Waived},
	Implemented: {WasVerified: Verified, WasRefuted: Reopened, WasReopened: Reopened},
	Verified:    {WasClosed: Closed, WasReopened: Reopened},
	Closed:      {WasReopened: Reopened},
	Reopened:    {WasPlanned: Planned, WasWaived: Waived},
	Withdrawn:   {WasReopened: Reopened},
	Waived:      {WasReopened: Reopened},
}

// actionLife is the life of one corrective action; its events are those of the case.
var actionLife = machine{
	"":          {WasPlanned: Planned},
	Planned:     {WasPlanned: Dropped, ActionDone: Implemented, WasImplemented: Implemented, WasWaived: Dropped},
	Implemented: {WasVerified: Effective, WasRefuted: Ineffective},
}

var incidentLife = machine{
	"": {WasReported: Reported},
	Reported: {
		WasNoted: Reported, WasAssessed: Reported, WasDecided: Reported, WasNotified: Reported, WasLinked: Reported,
		WasContained: Contained, WasResolved: Resolved,
	},
	Contained: {
		WasNoted: Contained, WasAssessed: Contained, WasDecided: Contained, WasNotified: Contained, WasLinked: Contained,
		WasResolved: Resolved,
	},
	Resolved: {
		WasNoted: Resolved, WasAssessed: Resolved, WasDecided: Resolved, WasNotified: Resolved, WasLinked: Resolved,
		WasClosed: Closed, WasReopened: Reported,
	},
	Closed: {WasReopened: Reported},
}

var concernLife = machine{
	"":           {WasReported: Reported},
	Reported:     {WasSupplemented: Reported, WasAcknowledged: Acknowledged},
	Acknowledged: {WasSupplemented: Acknowledged, WasTriaged: Triaged},
	Triaged:      {WasSupplemented: Triaged, WasTriaged: Triaged, WasAnswered: Answered, WasClosed: Closed},
	// What is added to an answered concern wants another answer.
	Answered: {WasSupplemented: Triaged, WasAnswered: Answered, WasClosed: Closed},
}

// next is the state that an event leads to; an error where it cannot happen.
func (m machine) next(what string, s State, e Event) (State, error) {
	to, ok := m[s][e]
	if !ok {
		at := string(s)
		if s == "" {
			at = "not there yet"
		}
		return "", aims.Errorf(aims.Conflict, nil, "the %s is %s: it cannot be %s now", what, at, e)
	}
	return to, nil
}

// over says whether nothing is to be done any more.
func (s State) over() bool {
	return s == Closed || s == Withdrawn || s == Waived || s == Merged
}

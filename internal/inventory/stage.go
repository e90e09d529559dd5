package inventory

// The stages of an agent's life (ISO 42001 A.6). An agent that nobody
// registered has none.
const (
	Design       = "design"
	Development  = "development"
	Verification = "verification"
	Deployed     = "deployed"
	Suspended    = "suspended"
	Retired      = "retired"
)

// Stages returns the stages in the order of a life.
func Stages() []string {
	return []string{Design, Development, Verification, Deployed, Suspended, Retired}
}

// LifeEvent moves an agent from one stage to another.
type LifeEvent string

const (
	ToDesign       LifeEvent = "design"  // begin, or begin anew
	ToDevelopment  LifeEvent = "develop" // build, or rebuild what was in use
	ToVerification LifeEvent = "verify"  // test, or test again what was in use
	ToDeployment   LifeEvent = "deploy"
	ToSuspension   LifeEvent = "suspend" // the kill switch
	FromSuspension LifeEvent = "resume"
	ToRetirement   LifeEvent = "retire" // for good
)

// LifeEvents returns all events.
func LifeEvents() []LifeEvent {
	return []LifeEvent{ToDesign, ToDevelopment, ToVerification, ToDeployment, ToSuspension, FromSuspension, ToRetirement}
}

// Next is the stage that an event leads to; ok is false where the event is not
// possible. The empty stage is that of an agent that nobody registered: it may
// enter at any stage up to deployed, because agents were there before their
// register was.
func Next(stage string, event LifeEvent) (next string, ok bool) {
	next, ok = map[string]map[LifeEvent]string{
		"": {ToDesign: Design, ToDevelopment: Development, ToVerification: Verification, ToDeployment: Deployed},

		Design:       {ToDevelopment: Development, ToRetirement: Retired},
		Development:  {ToDesign: Design, ToVerification: Verification, ToRetirement: Retired},
		Verification: {ToDevelopment: Development, ToDeployment: Deployed, ToRetirement: Retired},
		Deployed:     {ToDevelopment: Development, ToVerification: Verification, ToSuspension: Suspended, ToRetirement: Retired},
		Suspended:    {ToDevelopment: Development, ToVerification: Verification, FromSuspension: Deployed, ToRetirement: Retired},
	}[stage][event]
	return next, ok
}

// eventTo is the event that leads from one stage to another, other than
// suspending and resuming, which have a reason and verbs of their own; empty
// when there is none.
func eventTo(from, to string) LifeEvent {
	for _, e := range LifeEvents() {
		if next, ok := Next(from, e); ok && next == to && e != ToSuspension && e != FromSuspension {
			return e
		}
	}
	return ""
}

// reachable are the stages that eventTo leads to.
func reachable(from string) []string {
	var stages []string
	for _, to := range Stages() {
		if eventTo(from, to) != "" {
			stages = append(stages, to)
		}
	}
	return stages
}

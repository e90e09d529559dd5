package approval

// State is where a request is in its life.
type State string

// The states of a Request. All but Pending and Granted are ends.
const (
	Pending State = "pending" // not everybody that it needs has granted it
	Granted State = "granted" // it may be used, once, until it expires
	Used    State = "used"    // the call that it is bound to was released
	Denied  State = "denied"  // a person refused it or took a grant back
	Expired State = "expired" // its time ran out
	Void    State = "void"    // another policy is in force than the one that held the call
)

// event is what can happen to a request.
type event string

const (
	voted      event = "voted"      // somebody granted it, and more are needed
	completed  event = "completed"  // the last one that it needs granted it
	refused    event = "refused"    // somebody denied it
	lapsed     event = "lapsed"     // its expiry passed
	superseded event = "superseded" // the policy changed
	released   event = "released"   // the call was let through
	widened    event = "widened"    // the same call was held again, and needs more people now
)

// lifeCycle is the whole life of a request; what does not stand here cannot happen.
var lifeCycle = map[State]map[event]State{
	Pending: {voted: Pending, completed: Granted, refused: Denied, lapsed: Expired, superseded: Void, widened: Pending},
	Granted: {released: Used, refused: Denied, lapsed: Expired, superseded: Void, widened: Pending},
}

// next is the state that an event leads to; ok is false where it cannot happen.
func next(s State, e event) (to State, ok bool) {
	to, ok = lifeCycle[s][e]
	return to, ok
}

// open says whether something can still come of a request.
func (s State) open() bool { return s == Pending || s == Granted }

// Package observed folds the receipts of a log into what they show of an AI
// management system at work (ISO 42001 9.1, A.6.2.8): who called what, what was
// decided by which policy, what people approved, what changed. It is pure, so
// that an auditor's verifier folds the same log to the same facts.
//
// Stretches of the log are folded to parts side by side, and parts are added to
// what is known in the order of the log; however the log is cut, the facts are
// the same. People stand by their id, agents and the installation itself, where
// a person could stand as well, as type:id.
package observed

import "time"

// Facts are what the entries before Size show. Times are microseconds since
// 1970, UTC; 0 when it never happened. Ids of receipts stand for the entries
// that a reader may look up; where there are many, the newest is kept.
type Facts struct {
	Size        uint64 `json:"size"` // entries folded, from index 0
	First, Last int64  // times of the first and last of them

	// Events is how many entries are events, of whatever name.
	Events uint64

	// Days has a line for each day, UTC, with a decision, a refusal or an
	// outcome, oldest first.
	Days []Day

	// Agents are callers of type agent, by id; Tools are by server___tool,
	// Policies by digest, Rules by the id of the rule that determined a decision.
	Agents   map[string]*Agent
	Tools    map[string]*Tool
	Policies map[string]*Policy
	Rules    map[string]*Rule

	// Lives is what happened to each agent's registration and stage, by id.
	Lives map[string]*Life
	// Pins are the changes to definitions of tools, in order.
	Pins        []PinChange
	Activations []Activation
	Approvals   map[string]*Approval // by id
	Gates       []Gate
	// Reopened are the events that reopened impact assessments.
	Reopened   []Reopening
	Rehearsals []Rehearsal
	Stops      []Stop
	Starts     []Event // the installation started
	Erasures   []Erasure
	Roles      []RoleChange
	// Cases are nonconformities, incidents and concerns as their events left
	// them, by id.
	Cases map[string]*Case
	// Frozen are the inputs of management reviews, by the review's id; Tests
	// the runs of internal audit tests, Samples what audits drew for people.
	Frozen  map[string]*Event
	Tests   []AuditTest
	Samples []Sample
}

// Day is one day's counts. What people did through the management API counts as
// Managed only, and its outcomes with the others.
type Day struct {
	Day       string `json:"day"`       // 2026-11-23
	Index     uint64 `json:"index"`     // of the first entry counted on it
	Decisions uint64 `json:"decisions"` // allowed, denied and held
	Allowed   uint64 `json:"allowed"`
	Denied    uint64 `json:"denied"`
	Held      uint64 `json:"held"`
	// Refused are requests turned away before a policy was asked; each counts
	// as often as it stands for.
	Refused  uint64 `json:"refused"`
	Outcomes uint64 `json:"outcomes"`
	Failed   uint64 `json:"failed"` // outcomes other than succeeded
	// Micros is the sum of the outcomes' durations.
	Micros uint64 `json:"micros"`
	// Managed are the actions of people on the management system that were
	// allowed, ManagedRefused those that were not.
	Managed        uint64 `json:"managed"`
	ManagedRefused uint64 `json:"managed_refused"`
	// Unregistered are the decisions about agents that were not registered then.
	Unregistered uint64 `json:"unregistered"`
}

// Agent is what was seen of an agent at the enforcement points.
type Agent struct {
	First, Last            int64
	Allowed, Denied, Held  uint64
	Refused                uint64 // requests turned away before a policy was asked
	Receipt                string // of its newest decision
	FirstReceipt           string
	Tools                  map[string]uint64 // server___tool → allowed calls
	Purposes               map[string]uint64 // declared purpose → decisions; "" for none
	ToolLast               map[string]int64  // server___tool → time of the newest allowed call
	PurposeLast            map[string]int64  // declared purpose → time of the newest decision
	PurposeAllowed         map[string]int64  // declared purpose → time of the newest allowed call
	Servers                map[string]uint64
	AllowedWithoutDeployed uint64 // allowed while its stage was known and not deployed
	AllowedFirst           int64  // time of the first allowed call
}

// Tool is what was seen of a tool.
type Tool struct {
	First, Last           int64
	Allowed, Denied, Held uint64
	Unpinned              uint64 // allowed without a pin in the receipt
	UnpinnedLast          int64  // time of the newest of these
	Pins                  map[string]uint64
	Receipt               string
}

// Policy is what was seen of a policy set.
type Policy struct {
	Decisions   uint64
	First, Last int64
	Receipt     string
	// Published, Approved and Activated are the newest times of these events;
	// Author and Approver who did the first two.
	Published, Approved, Activated int64
	Author, Approver               string
	Bundle                         string // digest of the bundle that it was made of
	Environments                   map[string]int64
}

// Rule is what was seen of a rule.
type Rule struct {
	Decisions uint64 // that it determined
	Held      uint64
	Faults    uint64 // decisions in which it could not be evaluated
	Last      int64
	// Called is the time of the newest decision about anything but the management
	// of the installation; 0 for a rule that decided on that alone.
	Called int64
	// HeldLast is that of the newest decision that it held.
	HeldLast int64
	Receipt  string
	// Controls and Threats are those that its reasons named.
	Controls, Threats map[string]uint64
}

// Life is what the log says of an agent's registration.
type Life struct {
	Stage       string // now
	Owner       string
	Operator    string
	Registered  int64
	Changed     int64
	Deployed    int64 // since when it is deployed; 0 when it is not
	FirstDeploy int64
	Suspended   bool
	Receipt     string
	Purposes    []string
	Delegates   []string
	Tools       []string
}

// PinChange is a change to a tool's definition (tool.pinned, approved, changed,
// quarantined, removed, returned, forgotten).
type PinChange struct {
	Tool, Event, Pin, By, Receipt string
	// Quarantined: the tool is refused from then on.
	Quarantined bool
	At          int64
}

// Activation is a policy put in force, also by rolling back.
type Activation struct {
	Digest, Environment, By, Receipt string
	Bundle                           string // digest of the bundle that it was made of
	Back                             bool   // it was rolled back to
	At                               int64
}

// Approval is a request for approval of a held call.
type Approval struct {
	ID, Agent, Tool string
	// Requested is when it was asked for, Ended when people, time or a change of
	// policy settled it, Used when the call was released.
	Requested, Ended, Used int64
	// State is requested, granted, denied, used, expired or void.
	State   string
	By      []string // people who voted
	Given   []Vote   // their votes, in order
	Quorum  int      // how many people it needs
	Hold    string   // receipt of the decision that held the call
	Receipt string   // of the newest event
}

// Vote is what one person answered to a request for approval.
type Vote struct {
	By      string
	Roles   []string // of the installation, in which the person granted it
	Granted bool
	Receipt string
	At      int64
}

// Erasure is payloads erased at the end of their retention.
type Erasure struct {
	Event
	From, To uint64   // first and last entry whose payloads were erased
	Names    []string // of the payloads
	Rule     string   // that demanded it
}

// Gate is an evaluation of a life-cycle gate.
type Gate struct {
	Agent, To, Version, By, Receipt string
	Passed                          bool
	// Failed are the preconditions that did not hold.
	Failed []string
	At     int64
}

// Reopening is an impact assessment that is due again (assessment.reopened): On is
// its id, Digest the version that it was.
type Reopening struct {
	Event
	// Agent went beyond its bounds with Cause, such as "tool payments___refund".
	Agent, Cause string
}

// Rehearsal is a run of the threat model that was recorded.
type Rehearsal struct {
	Policy, Bundle, By, Receipt string
	Scenarios, AsExpected       int
	// Categories are the OWASP ids that its scenarios covered; Scenario says of
	// each whether it ended as expected.
	Categories []string
	Scenario   map[string]bool
	At         int64
}

// Stop is the kill switch of an agent or a server, pulled or released.
type Stop struct {
	Kind, ID, By, Receipt string
	Resumed               bool
	At                    int64
}

// RoleChange gives an actor the roles that it has from then on.
type RoleChange struct {
	Actor, By, Receipt string
	Roles              []string
	At                 int64
}

// Case is a nonconformity, incident or concern.
type Case struct {
	Kind, ID, State, Grade, Requirement, Owner, Receipt string
	Opened, Changed, Closed                             int64
	Due                                                 string // day of the next thing due
	// Events are the times of the newest event of each name.
	Events map[string]int64
	// Actions are its corrective actions.
	Actions []CaseAction
	// About is what it was raised about: kind/id of records, audits, tools or
	// rehearsals, or ids of receipts.
	About []string
	// Notify is the decision of an incident: "", notify or not-notify.
	Notify string
}

// CaseAction is a corrective action of a case.
type CaseAction struct {
	ID, Owner, Due string
	Implemented    int64
	Effective      int64
}

// Names of the whole-population tests of an internal audit.
const (
	TestIntegrity    = "log-integrity"    // signatures, tree, checkpoints
	TestCompleteness = "log-completeness" // no gap; counts agree with those of the gateway
	TestDecisions    = "decisions"        // every decision recomputed from its policy and facts
	TestApprovals    = "approvals"        // every approval's entitlement
	TestGates        = "life-cycle-gates" // every gate evaluated again
)

// AuditTest is one run of a whole-population test of an internal audit.
type AuditTest struct {
	Audit, Test, By, Receipt string
	Population, Exceptions   uint64
	At                       int64
}

// OfDecisions is the kind of a sample of what agents asked for.
const OfDecisions = "decisions"

// Sample is a sample that an internal audit drew, for people to look at.
type Sample struct {
	Audit, ID, Kind, Receipt string
	Items                    int
	// Judged says of each item that somebody looked at whether it conforms.
	Judged map[string]bool
	At     int64
}

// Event is one receipt of an event.
type Event struct {
	Name, On, By, Digest, Receipt string
	At                            int64
}

// Micros is a time as Facts keep it.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

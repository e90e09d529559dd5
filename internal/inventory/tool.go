package inventory

import (
	"encoding/json"
	"time"
)

// Tool is a tool as its server lists it.
type Tool struct {
	Name       string
	Definition json.RawMessage // the whole tool object
}

// State is what is known of a tool.
type State struct {
	Server string `json:"server"`
	Name   string `json:"name"`
	// Pin is the digest of the definition that the server showed last,
	// Approved that of the one in force; empty when none was ever approved.
	Pin      string `json:"pin"`
	Approved string `json:"approved,omitempty"`
	// Quarantined tools are refused until the observed pin is approved.
	Quarantined bool `json:"quarantined"`
	// Listed says whether the server's last list had it.
	Listed bool `json:"listed"`
	// ReadOnly and Destructive are the hints of the approved definition. The server wrote them.
	ReadOnly    bool `json:"read_only"`
	Destructive bool `json:"destructive"`
	// Explicit says that a person approved the definition in force; otherwise it
	// was trusted when it was first seen.
	Explicit bool `json:"explicit"`
	// Effects are what calls of the tool do, Labels what its results carry, and
	// Sinks the kind of each argument that decides where something goes, by the
	// argument's path (lines[].account). Said is what somebody said about them;
	// the rest follows from the definition. They must not be changed.
	Effects []string          `json:"effects"`
	Labels  []string          `json:"labels"`
	Sinks   map[string]string `json:"sinks"`
	Said    *Labelling        `json:"said,omitempty"`
	// Flags are what is suspicious about the observed definition.
	Flags []Flag `json:"flags,omitempty"`
	// Definition is the approved definition in RFC 8785 form, only the pinned
	// fields; Observed the last one shown.
	Definition json.RawMessage `json:"definition,omitempty"`
	Observed   json.RawMessage `json:"observed,omitempty"`
	FirstSeen  time.Time       `json:"first_seen"`
	Changed    time.Time       `json:"changed"`
}

// Callable says whether calls may be considered at all.
func (s State) Callable() bool { return s.Listed && !s.Quarantined && s.Approved != "" }

// The kinds of a Change.
type ChangeKind string

const (
	Pinned   ChangeKind = "pinned"   // seen for the first time and trusted
	Added    ChangeKind = "added"    // seen for the first time, quarantined until approved
	Changed  ChangeKind = "changed"  // another definition under a known name
	Removed  ChangeKind = "removed"  // no longer listed
	Returned ChangeKind = "returned" // listed again, with the approved definition
	Renamed  ChangeKind = "renamed"  // a known definition under a new name
	Dropped  ChangeKind = "dropped"  // more tools than are kept
)

// Change is what a list brought that the one before did not have.
type Change struct {
	Kind   ChangeKind `json:"kind"`
	Server string     `json:"server"`
	Tool   string     `json:"tool"`
	Pin    string     `json:"pin,omitempty"`
	// From is the tool's old name when it was renamed.
	From string `json:"from,omitempty"`
	// Quarantined says whether calls are refused from now on.
	Quarantined bool         `json:"quarantined"`
	Flags       []Flag       `json:"flags,omitempty"`
	Difference  []Difference `json:"difference,omitempty"`
}

// Package record is the documented information of an AI management system as
// typed records (ISO 42001 7.5): their kinds, their schema, how they are read
// from and written to files, and where two states of them differ. It is pure:
// no clock, no database, so that an auditor's verifier may use it.
//
// Struct tags carry what the schema, the validation and the guidance have in
// common, so that each is said once:
//
//	doc:"…"      what the field means; the description in the JSON Schema
//	need:"yes"   it must be filled
//	enum:"a,b"   one of these words
//	ref:"kind"   the id of a record of that kind; requirement and control name
//	             one of the 70 ids, area one of them or an area such as A.6,
//	             kind a kind of record, any a "kind/id" of whatever kind
//	past:"yes"   a date that cannot lie after the day on which it is applied
//
// What one record says of another is a reference by id. What people state of a
// record is a mark, which names the digest of what they saw: see State.
package record

// Date is a calendar day, "2026-11-23"; empty when it is not known.
type Date string

// Attachment is a file that is kept elsewhere and known by its digest. The
// period that it covers, the day that it came and the day that it was approved
// are different things and are kept apart.
type Attachment struct {
	File     string `yaml:"file" json:"file" doc:"name of the file, relative to this one" need:"yes"`
	Digest   string `yaml:"digest,omitempty" json:"digest,omitempty" doc:"SHA-256 of its bytes, sha256:…; computed when the file lies beside the record"`
	From     Date   `yaml:"from,omitempty" json:"from,omitempty" doc:"first day that it covers"`
	Until    Date   `yaml:"until,omitempty" json:"until,omitempty" doc:"last day that it covers"`
	Received Date   `yaml:"received,omitempty" json:"received,omitempty" doc:"day on which it was received" past:"yes"`
	Approved Date   `yaml:"approved,omitempty" json:"approved,omitempty" doc:"day on which it was approved where it came from" past:"yes"`
}

// Base is what every record has.
type Base struct {
	ID          string       `yaml:"id" json:"id" doc:"1 to 64 of a-z 0-9 . _ @ -; stays the same for ever" need:"yes"`
	Owner       string       `yaml:"owner,omitempty" json:"owner,omitempty" doc:"person who answers for it" ref:"person"`
	ReviewBy    Date         `yaml:"review_by,omitempty" json:"review_by,omitempty" doc:"day by which it is to be reviewed"`
	Note        string       `yaml:"note,omitempty" json:"note,omitempty" doc:"anything a reader should know"`
	Origin      string       `yaml:"origin,omitempty" json:"origin,omitempty" doc:"where it was carried over from, such as iso27001"`
	Attachments []Attachment `yaml:"attachments,omitempty" json:"attachments,omitempty" doc:"files that belong to it"`
}

// MarkKind says what a person stated of a record.
type MarkKind string

const (
	// Approve: by somebody other than whoever wrote that version.
	Approve MarkKind = "approve"
	// Acknowledge: has read that version.
	Acknowledge MarkKind = "acknowledge"
	// Accept: takes the residual risk of a treatment or of an untreated risk.
	Accept MarkKind = "accept"
	// Attest: states that a requirement is met, of a requirement of the standard.
	Attest MarkKind = "attest"
	// Withdraw: takes back the author's own earlier mark.
	Withdraw MarkKind = "withdraw"
)

// Mark is what an authenticated person stated of one version of a record, or,
// with the kind requirement, of a requirement. It is given by its own verb and
// never written in a file; a change of the record makes it stale, because it
// names the digest of what was seen.
type Mark struct {
	Kind   MarkKind `json:"kind"`
	On     string   `json:"on"` // kind of record, or "requirement"
	ID     string   `json:"id"`
	Digest string   `json:"digest,omitempty"` // of the record's version; empty for a requirement
	By     string   `json:"by"`               // id of the person
	Roles  []string `json:"roles,omitempty"`  // that the person held then, of the installation
	Note   string   `json:"note,omitempty"`
	Until  Date     `json:"until,omitempty"` // an attestation ends then
	At     int64    `json:"at"`              // microseconds since 1970, UTC
	Index  uint64   `json:"index"`           // of its receipt in the log
	// Receipt is the id of that receipt.
	Receipt string `json:"receipt"`
}

// Version is where the present text of a record came from.
type Version struct {
	Digest  string `json:"digest"` // sha256:… of its canonical JSON
	Number  int    `json:"number"` // counts from 1
	By      string `json:"by"`     // person who applied it
	At      int64  `json:"at"`     // microseconds since 1970, UTC
	Index   uint64 `json:"index"`  // of its receipt in the log
	Receipt string `json:"receipt"`
	Event   Event  `json:"event,omitempty"` // what it was
}

// Key names a record.
type Key struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// State is all registers at one place of the log.
type State struct {
	Registers Registers
	Versions  map[Key]Version
	// Changes is every version of a record in the order of the log, removals and
	// what was before a removal included: who wrote what since it was approved.
	Changes map[Key][]Version
	// Marks are all of them in the order of the log, stale and withdrawn ones too.
	Marks []Mark
}

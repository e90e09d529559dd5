package api

import (
	"encoding/json"
	"time"

	"aims/authz"
	"aims/pdp"
)

// The bodies of requests and answers. The command line reads and writes the
// same types, and OpenAPI is generated from them.

// Actor is an agent or a person.
type Actor struct {
	Type string `json:"type" enum:"agent,person,system" doc:"agent, person, or system for what the installation does by itself"`
	ID   string `json:"id" doc:"1 to 64 of a-z 0-9 . _ @ -"`
}

// Key is a credential without its secret.
type Key struct {
	ID      string     `json:"id"`
	Actor   Actor      `json:"actor"`
	Roles   []string   `json:"roles"`
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty" doc:"absent: never"`
	Revoked *time.Time `json:"revoked,omitempty" doc:"absent: not revoked"`
}

// NewKey asks for a key.
type NewKey struct {
	Actor   Actor      `json:"actor"`
	Roles   []string   `json:"roles,omitempty" doc:"for an actor that is not yet known"`
	Expires *time.Time `json:"expires,omitempty" doc:"absent: never"`
}

// KeySecret is a new key with its secret, which is shown once.
type KeySecret struct {
	Key
	Secret string `json:"secret" doc:"shown once and stored nowhere"`
}

// ActorRoles is an agent or person with the roles that they hold.
type ActorRoles struct {
	Actor Actor    `json:"actor"`
	Roles []string `json:"roles"`
}

// RoleChange gives an actor some roles and takes others from it.
type RoleChange struct {
	Add  []string `json:"add,omitempty"`
	Drop []string `json:"drop,omitempty" doc:"roles that the actor holds"`
}

// RolesDone is what an actor holds after a change, and the receipt of the
// decision that allowed it.
type RolesDone struct {
	ActorRoles
	Receipt string `json:"receipt"`
}

// Tool is a tool as the installation knows it.
type Tool struct {
	Server      string `json:"server"`
	Name        string `json:"name"`
	Action      string `json:"action" doc:"the tool's name in policies"`
	State       string `json:"state" enum:"approved,quarantined,unlisted"`
	Pin         string `json:"pin,omitempty" doc:"digest of the approved definition (RFC 8785, SHA-256)"`
	Found       string `json:"found,omitempty" doc:"digest of the definition that the server now gives, where it differs"`
	ReadOnly    bool   `json:"read_only"`
	Destructive bool   `json:"destructive"`
	Explicit    bool   `json:"explicit" doc:"a person approved this definition; else it was trusted when it was first seen"`
	// What policies see; of a tool in quarantine, what they will see.
	Effects    []string           `json:"effects" doc:"what calls do"`
	Labels     []string           `json:"labels" doc:"what results carry"`
	Sinks      map[string]string  `json:"sinks" doc:"arguments that decide where something goes, by path, with their kinds"`
	Said       *Said              `json:"said,omitempty" doc:"what somebody said about it; the rest follows from its definition"`
	Why        string             `json:"why,omitempty" doc:"why it is not usable"`
	Difference []DefinitionChange `json:"difference,omitempty" doc:"what differs from the approved definition, field by field"`
	Changed    time.Time          `json:"changed"`
	// Unknown is for an earlier time only: receipts hold the digest of a definition.
	Unknown bool `json:"definition_unknown,omitempty" doc:"the definition of that time is not kept any more, so that what follows from it is not known"`
}

// Said is what somebody said about the tool of a name, whatever its definition is.
type Said struct {
	Effects []string          `json:"effects,omitempty"`
	Labels  []string          `json:"labels,omitempty"`
	Sinks   map[string]string `json:"sinks,omitempty"`
	Source  string            `json:"source" enum:"person,configuration"`
	Changed time.Time         `json:"changed"`
}

// Labelling says what a tool does; what it leaves out stays as it was said before.
type Labelling struct {
	Server  string            `json:"server"`
	Tool    string            `json:"tool"`
	Effects []string          `json:"effects,omitempty" doc:"of read, write, send, pay, credential, delete, execute"`
	Labels  []string          `json:"labels,omitempty" doc:"what its results carry, untrusted besides unless trusted is among them"`
	Sinks   map[string]string `json:"sinks,omitempty" doc:"kinds of arguments by path; an empty kind says that one is none"`
	Clear   bool              `json:"clear,omitempty" doc:"first take back all that was said"`
}

// ToolDone is a tool as it is after something was done.
type ToolDone struct {
	Tool    Tool   `json:"tool"`
	Receipt string `json:"receipt" doc:"the receipt of the decision that allowed it"`
}

// DefinitionChange is one field of a tool's definition that differs.
type DefinitionChange struct {
	Field  string          `json:"field" doc:"JSON Pointer"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

// Approval approves the definition that a server now gives.
type Approval struct {
	Server string `json:"server"`
	Tool   string `json:"tool"`
	Pin    string `json:"pin" doc:"the digest that was looked at; another one now in place is a conflict"`
}

// Forgetting drops a tool that its server no longer lists.
type Forgetting struct {
	Server string `json:"server"`
	Tool   string `json:"tool"`
}

// Policy is the set in force.
type Policy struct {
	Digest string       `json:"digest"`
	Bundle string       `json:"bundle" doc:"digest of the bundle that the set was compiled from"`
	Files  []PolicyFile `json:"files"`
	Schema string       `json:"schema"`
	Losses []pdp.Loss   `json:"losses,omitempty" doc:"what the schema could not carry over exactly from the tools"`
	Stale  string       `json:"stale,omitempty" doc:"why the set could not be compiled for the tools that are approved now"`
}

// Receipt is one entry of the log.
type Receipt struct {
	Index  uint64          `json:"index"`
	Time   time.Time       `json:"time"`
	Kind   string          `json:"kind" enum:"decision,refusal,outcome,event"`
	Closes *uint64         `json:"closes,omitempty" doc:"with an outcome: the index of its decision"`
	Body   json.RawMessage `json:"body"`
	Leaf   string          `json:"leaf,omitempty" doc:"the recorded bytes, base64; what the log commits to"`
	// Outcome is the entry that closes a decision, when one is asked for by id.
	Outcome  *Receipt  `json:"outcome,omitempty"`
	Payloads []Payload `json:"payloads,omitempty"`
}

// Payload is content beside the log.
type Payload struct {
	Name   string          `json:"name" enum:"input,facts,result"`
	Digest string          `json:"digest"`
	Salt   string          `json:"salt,omitempty" doc:"base64"`
	JSON   json.RawMessage `json:"json,omitempty" doc:"the content, where it is JSON"`
	Data   string          `json:"data,omitempty" doc:"the content in base64, where it is not"`
	Erased bool            `json:"erased,omitempty"`
}

// Receipts is a page of the log, newest first.
type Receipts struct {
	Receipts []Receipt `json:"receipts"`
	Next     *uint64   `json:"next,omitempty" doc:"give it as before to read on"`
	Size     uint64    `json:"size" doc:"entries in the log"`
}

// Erasure asks to erase payloads. The receipts stay, and say when it happened and under which rule.
type Erasure struct {
	OlderThanSeconds int64  `json:"older_than_seconds,omitempty" minimum:"1" doc:"erase what is older than this"`
	ID               string `json:"id,omitempty" doc:"erase what belongs to one receipt"`
	Rule             string `json:"rule" minLength:"1" maxLength:"200" doc:"why: the retention rule or the request"`
}

// Erased says how the erasure was recorded.
type Erased struct {
	Receipts []string `json:"receipts" doc:"the receipts of the erasure; none when there was nothing to erase"`
}

// Proof shows that a receipt is in the log.
type Proof struct {
	Index uint64 `json:"index"`
	Leaf  string `json:"leaf" doc:"the recorded bytes, base64; what the log commits to"`
	Proof string `json:"proof" doc:"C2SP tlog-proof"`
}

// Status is the state of the installation.
type Status struct {
	Version  string    `json:"version"`
	Started  time.Time `json:"started"`
	Origin   string    `json:"origin"`
	Verifier string    `json:"verifier_key"`
	Size     uint64    `json:"size" doc:"entries in the log"`
	Policy   string    `json:"policy" doc:"digest of the set in force"`
	Stale    string    `json:"policy_stale,omitempty" doc:"why the set could not be compiled for the tools that are approved now"`
	// PolicyError is why the policy directory is not in force.
	PolicyError string         `json:"policy_error,omitempty" doc:"why the policy directory is not in force"`
	Servers     []ServerStatus `json:"servers"`
	Stops       []Stop         `json:"stops" doc:"what people have stopped"`
	Open        int            `json:"open_decisions" doc:"decisions whose outcome is not recorded"`
	LeftOpen    int            `json:"left_open" doc:"decisions that the process before had left without outcome"`
	SelfCheck   []Control      `json:"self_check"`
}

// ServerStatus is the state of one server behind the gateway.
type ServerStatus struct {
	Name        string `json:"name"`
	Kind        string `json:"kind" enum:"stdio,http,declared"`
	Tools       int    `json:"tools"`
	Quarantined int    `json:"quarantined"`
	Problem     string `json:"problem,omitempty"`
	Stopped     bool   `json:"stopped" doc:"calls to it are refused until a person resumes it"`
	// Unlisted are tools that the configuration labels.
	Unlisted []string `json:"labelled_unlisted,omitempty" doc:"tools that the configuration labels and that the server has never listed"`
}

// Control is one control that was fired at the start.
type Control struct {
	Name  string `json:"name"`
	Holds bool   `json:"holds"`
	Saw   string `json:"saw,omitempty"`
}

// Done says that something was done.
type Done struct {
	Receipt string `json:"receipt" doc:"the receipt of the decision that allowed it"`
}

// Problem is the body of an error (RFC 9457).
type Problem struct {
	Status  int            `json:"status"`
	Title   string         `json:"title"`
	Code    string         `json:"code"`
	Detail  string         `json:"detail"`
	Receipt string         `json:"receipt,omitempty" doc:"the receipt of the refusal"`
	Reasons []authz.Reason `json:"reasons,omitempty"`
	Errors  []FieldProblem `json:"errors,omitempty"`
}

// FieldProblem is one thing that is wrong with a request.
type FieldProblem struct {
	Location string `json:"location" doc:"such as body.actor.type"`
	Message  string `json:"message"`
}

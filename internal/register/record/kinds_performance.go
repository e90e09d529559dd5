package record

// Objective is an AI objective (ISO 42001 6.2, A.6.1.2, A.9.3).
type Objective struct {
	Base      `yaml:",inline"`
	Text      string   `yaml:"text" json:"text" doc:"the objective" need:"yes"`
	Area      string   `yaml:"area" json:"area" doc:"what it belongs to" enum:"management,responsible-development,responsible-use" need:"yes"`
	Measure   string   `yaml:"measure,omitempty" json:"measure,omitempty" doc:"id of a measure; aims measures lists those that are computed"`
	AtLeast   *float64 `yaml:"at_least,omitempty" json:"at_least,omitempty" doc:"target: the measure is at least this"`
	AtMost    *float64 `yaml:"at_most,omitempty" json:"at_most,omitempty" doc:"target: the measure is at most this"`
	Due       Date     `yaml:"due,omitempty" json:"due,omitempty" doc:"by when"`
	Method    string   `yaml:"method,omitempty" json:"method,omitempty" doc:"how it is evaluated"`
	Resources string   `yaml:"resources,omitempty" json:"resources,omitempty" doc:"what it takes"`
	Gate      bool     `yaml:"gate,omitempty" json:"gate,omitempty" doc:"a gate of the life cycle looks at it"`
}

// Monitoring is one line of the monitoring plan (ISO 42001 9.1, A.6.2.6).
type Monitoring struct {
	Base      `yaml:",inline"`
	Measure   string   `yaml:"measure" json:"measure" doc:"id of a measure" need:"yes"`
	Agents    []string `yaml:"agents,omitempty" json:"agents,omitempty" doc:"agents that it watches; empty: all" ref:"agent"`
	Method    string   `yaml:"method" json:"method" doc:"how it is measured and analysed" need:"yes"`
	EveryDays int      `yaml:"every_days" json:"every_days" doc:"how often it is evaluated" need:"yes"`
	AtLeast   *float64 `yaml:"at_least,omitempty" json:"at_least,omitempty" doc:"expected: at least this"`
	AtMost    *float64 `yaml:"at_most,omitempty" json:"at_most,omitempty" doc:"expected: at most this"`
	Evaluator string   `yaml:"evaluator,omitempty" json:"evaluator,omitempty" doc:"person who evaluates it" ref:"person"`
	Recorded  []Value  `yaml:"recorded,omitempty" json:"recorded,omitempty" doc:"values that people measured, for a measure that is not computed"`
}

// Value is a measured value.
type Value struct {
	On    Date    `yaml:"on" json:"on" doc:"when" past:"yes" need:"yes"`
	Value float64 `yaml:"value" json:"value" doc:"the value"`
	Text  string  `yaml:"text,omitempty" json:"text,omitempty" doc:"what it means"`
}

// Change is a planned change (ISO 42001 6.3, 8.1).
type Change struct {
	Base          `yaml:",inline"`
	Title         string   `yaml:"title" json:"title" doc:"title" need:"yes"`
	Agents        []string `yaml:"agents,omitempty" json:"agents,omitempty" doc:"agents that it concerns" ref:"agent"`
	Planned       Date     `yaml:"planned,omitempty" json:"planned,omitempty" doc:"day for which it is planned"`
	Made          Date     `yaml:"made,omitempty" json:"made,omitempty" doc:"day on which it was made" past:"yes"`
	Unplanned     bool     `yaml:"unplanned,omitempty" json:"unplanned,omitempty" doc:"it was made before it was planned"`
	Nonconformity string   `yaml:"nonconformity,omitempty" json:"nonconformity,omitempty" doc:"id of the nonconformity of an unplanned change"`
	Significant   *bool    `yaml:"significant,omitempty" json:"significant,omitempty" doc:"screening: does it touch risk or impact, so that both are assessed again"`
	Screening     string   `yaml:"screening,omitempty" json:"screening,omitempty" doc:"why"`
	Before        string   `yaml:"before,omitempty" json:"before,omitempty" doc:"digest of what was before"`
	After         string   `yaml:"after,omitempty" json:"after,omitempty" doc:"digest of what is after, such as that of a policy"`
	Rollback      string   `yaml:"rollback,omitempty" json:"rollback,omitempty" doc:"how it is undone"`
	Effects       string   `yaml:"effects,omitempty" json:"effects,omitempty" doc:"what was not intended"`
	Reviewed      Date     `yaml:"reviewed,omitempty" json:"reviewed,omitempty" doc:"when that was reviewed" past:"yes"`
}

// AuditProgramme is the internal audit programme of a cycle (ISO 42001 9.2.2).
type AuditProgramme struct {
	Base   `yaml:",inline"`
	From   Date           `yaml:"from" json:"from" doc:"first day of the cycle" need:"yes"`
	Until  Date           `yaml:"until" json:"until" doc:"last day of the cycle" need:"yes"`
	Basis  string         `yaml:"basis,omitempty" json:"basis,omitempty" doc:"how risk and earlier results shaped it"`
	Audits []PlannedAudit `yaml:"audits,omitempty" json:"audits,omitempty" doc:"audits of the cycle"`
}

// PlannedAudit is one audit of a programme.
type PlannedAudit struct {
	Audit        string   `yaml:"audit" json:"audit" doc:"id of the audit" need:"yes"`
	Requirements []string `yaml:"requirements" json:"requirements" doc:"requirements that it covers; an area such as A.6 covers all of its own" ref:"area" need:"yes"`
	Planned      Date     `yaml:"planned" json:"planned" doc:"when" need:"yes"`
	Why          string   `yaml:"why,omitempty" json:"why,omitempty" doc:"why then and so deep"`
}

// Audit is one internal audit (ISO 42001 9.2). What its tests found is recorded
// by its own verb, and findings are nonconformities.
type Audit struct {
	Base         `yaml:",inline"`
	Programme    string   `yaml:"programme,omitempty" json:"programme,omitempty" doc:"programme that it belongs to" ref:"audit_programme"`
	Title        string   `yaml:"title" json:"title" doc:"title" need:"yes"`
	Requirements []string `yaml:"requirements" json:"requirements" doc:"requirements that it covers; an area such as A.6 covers all of its own" ref:"area" need:"yes"`
	Criteria     []string `yaml:"criteria,omitempty" json:"criteria,omitempty" doc:"what is audited against, beside the standard"`
	Scope        string   `yaml:"scope" json:"scope" doc:"what is audited" need:"yes"`
	From         Date     `yaml:"from" json:"from" doc:"first day of the period" need:"yes"`
	Until        Date     `yaml:"until" json:"until" doc:"last day of the period" need:"yes"`
	Lead         string   `yaml:"lead" json:"lead" doc:"lead auditor" ref:"person" need:"yes"`
	Auditors     []string `yaml:"auditors,omitempty" json:"auditors,omitempty" doc:"other auditors" ref:"person"`
	Held         Date     `yaml:"held,omitempty" json:"held,omitempty" doc:"when it was held" past:"yes"`
	Conclusion   string   `yaml:"conclusion,omitempty" json:"conclusion,omitempty" doc:"conclusion in words"`
}

// ManagementReview is a review by top management (ISO 42001 9.3). Its inputs are
// frozen by their own verb before it is held.
type ManagementReview struct {
	Base      `yaml:",inline"`
	Planned   Date       `yaml:"planned" json:"planned" doc:"when it is planned" need:"yes"`
	Held      Date       `yaml:"held,omitempty" json:"held,omitempty" doc:"when it was held" past:"yes"`
	Chair     string     `yaml:"chair,omitempty" json:"chair,omitempty" doc:"who chaired it" ref:"person"`
	Attended  []string   `yaml:"attended,omitempty" json:"attended,omitempty" doc:"who took part" ref:"person"`
	Inputs    string     `yaml:"inputs,omitempty" json:"inputs,omitempty" doc:"digest of the frozen inputs that lay before it"`
	Decisions []Decision `yaml:"decisions,omitempty" json:"decisions,omitempty" doc:"what was decided"`
}

// Decision is a decision of a management review.
type Decision struct {
	ID        string `yaml:"id" json:"id" doc:"its id in this list" need:"yes"`
	Text      string `yaml:"text" json:"text" doc:"the decision" need:"yes"`
	Type      string `yaml:"type,omitempty" json:"type,omitempty" doc:"what it concerns" enum:"improvement,change,resources,other"`
	Owner     string `yaml:"owner,omitempty" json:"owner,omitempty" doc:"who carries it out" ref:"person"`
	Due       Date   `yaml:"due,omitempty" json:"due,omitempty" doc:"by when"`
	Done      Date   `yaml:"done,omitempty" json:"done,omitempty" doc:"when it was done" past:"yes"`
	Escalated string `yaml:"escalated,omitempty" json:"escalated,omitempty" doc:"to whom it went when it was overdue"`
}

// Certification is the programme with a certification body (ISO/IEC 42006); there is one.
type Certification struct {
	Base            `yaml:",inline"`
	Body            string        `yaml:"body" json:"body" doc:"certification body" need:"yes"`
	Stage1          Date          `yaml:"stage1,omitempty" json:"stage1,omitempty" doc:"stage 1 audit, planned or held"`
	Stage2          Date          `yaml:"stage2,omitempty" json:"stage2,omitempty" doc:"stage 2 audit, planned or held"`
	Decided         Date          `yaml:"decided,omitempty" json:"decided,omitempty" doc:"the body's decision" past:"yes"`
	Surveillance1   Date          `yaml:"surveillance1,omitempty" json:"surveillance1,omitempty" doc:"first surveillance audit, planned or held"`
	Surveillance2   Date          `yaml:"surveillance2,omitempty" json:"surveillance2,omitempty" doc:"second surveillance audit, planned or held"`
	Recertification Date          `yaml:"recertification,omitempty" json:"recertification,omitempty" doc:"recertification audit, planned or held"`
	Findings        []BodyFinding `yaml:"findings,omitempty" json:"findings,omitempty" doc:"findings of the body"`
}

// BodyFinding is a finding of the certification body.
type BodyFinding struct {
	ID            string `yaml:"id" json:"id" doc:"its id in this list" need:"yes"`
	Stage         string `yaml:"stage" json:"stage" doc:"at which audit" enum:"stage1,stage2,surveillance1,surveillance2,recertification" need:"yes"`
	Requirement   string `yaml:"requirement" json:"requirement" doc:"requirement" ref:"requirement" need:"yes"`
	Grade         string `yaml:"grade" json:"grade" doc:"grade" enum:"major,minor,opportunity" need:"yes"`
	Text          string `yaml:"text" json:"text" doc:"the finding" need:"yes"`
	Due           Date   `yaml:"due,omitempty" json:"due,omitempty" doc:"by when it is to be answered"`
	Nonconformity string `yaml:"nonconformity,omitempty" json:"nonconformity,omitempty" doc:"id of the nonconformity that answers it"`
}

// OwnCriterion is a criterion that the organisation adds to a requirement: a CEL
// expression over the same records, true where it holds.
type OwnCriterion struct {
	Base        `yaml:",inline"`
	Requirement string `yaml:"requirement" json:"requirement" doc:"requirement" ref:"requirement" need:"yes"`
	Text        string `yaml:"text" json:"text" doc:"what it asks, in a sentence" need:"yes"`
	Each        string `yaml:"each" json:"each" doc:"kind of record whose records are looked at one by one" ref:"kind" need:"yes"`
	Where       string `yaml:"where,omitempty" json:"where,omitempty" doc:"CEL: which of them; empty: all"`
	Holds       string `yaml:"holds" json:"holds" doc:"CEL: what must hold of each" need:"yes"`
}

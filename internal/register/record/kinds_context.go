package record

// Organisation is the organisation and its context (ISO 42001 4.1); there is one.
type Organisation struct {
	Base            `yaml:",inline"`
	Name            string   `yaml:"name" json:"name" doc:"name of the organisation" need:"yes"`
	Description     string   `yaml:"description,omitempty" json:"description,omitempty" doc:"what it does"`
	AIRoles         []string `yaml:"ai_roles" json:"ai_roles,omitempty" doc:"roles that it plays for AI systems" enum:"provider,producer,developer,deployer,user"`
	Jurisdictions   []string `yaml:"jurisdictions,omitempty" json:"jurisdictions,omitempty" doc:"where it acts, ISO 3166 codes or EU"`
	Issues          []Issue  `yaml:"issues,omitempty" json:"issues,omitempty" doc:"outside and inside issues that matter to the management system"`
	ClimateRelevant *bool    `yaml:"climate_relevant,omitempty" json:"climate_relevant,omitempty" doc:"is climate change a relevant issue: the decision"`
	ClimateReason   string   `yaml:"climate_reason,omitempty" json:"climate_reason,omitempty" doc:"why"`
	Reviewed        Date     `yaml:"reviewed,omitempty" json:"reviewed,omitempty" doc:"last review of the context" past:"yes"`
}

// Issue is an outside or inside issue.
type Issue struct {
	ID    string   `yaml:"id" json:"id" doc:"its id in this list" need:"yes"`
	Text  string   `yaml:"text" json:"text" doc:"the issue" need:"yes"`
	Side  string   `yaml:"side" json:"side" doc:"where it comes from" enum:"external,internal" need:"yes"`
	Risks []string `yaml:"risks,omitempty" json:"risks,omitempty" doc:"risks that follow from it" ref:"risk"`
}

// Party is an interested party and what it requires (ISO 42001 4.2, A.8.5, A.10.4).
type Party struct {
	Base         `yaml:",inline"`
	Name         string             `yaml:"name" json:"name" doc:"who it is" need:"yes"`
	Type         string             `yaml:"type" json:"type" doc:"what it is to the organisation" enum:"customer,user,affected,employee,regulator,supplier,owner,insurer,public,other" need:"yes"`
	Requirements []PartyRequirement `yaml:"requirements,omitempty" json:"requirements,omitempty" doc:"what it requires, and the decision on each"`
}

// PartyRequirement is one requirement of an interested party.
type PartyRequirement struct {
	ID       string   `yaml:"id" json:"id" doc:"its id in this list" need:"yes"`
	Text     string   `yaml:"text" json:"text" doc:"what is required" need:"yes"`
	Decision string   `yaml:"decision,omitempty" json:"decision,omitempty" doc:"is it addressed by the management system" enum:"addressed,not_addressed"`
	Reason   string   `yaml:"reason,omitempty" json:"reason,omitempty" doc:"why it is not addressed"`
	Through  []string `yaml:"through,omitempty" json:"through,omitempty" doc:"what addresses it: kind/id of objectives, risks, applicability decisions, obligations, documents" ref:"any"`
}

// Obligation is a legal, contractual or voluntary duty (ISO 42001 4.2, A.8.5).
type Obligation struct {
	Base      `yaml:",inline"`
	Title     string   `yaml:"title" json:"title" doc:"short name" need:"yes"`
	Source    string   `yaml:"source" json:"source" doc:"where it comes from" enum:"law,contract,standard,voluntary" need:"yes"`
	Reference string   `yaml:"reference,omitempty" json:"reference,omitempty" doc:"article, contract or paragraph"`
	Parties   []string `yaml:"parties,omitempty" json:"parties,omitempty" doc:"whom it is owed to" ref:"party"`
	Applies   *bool    `yaml:"applies,omitempty" json:"applies,omitempty" doc:"does it apply: the decision"`
	Reason    string   `yaml:"reason,omitempty" json:"reason,omitempty" doc:"why it applies or does not"`
	Duties    []Duty   `yaml:"duties,omitempty" json:"duties,omitempty" doc:"what is to be done by when"`
}

// Duty is one thing that an obligation asks for.
type Duty struct {
	ID     string `yaml:"id" json:"id" doc:"its id in this list" need:"yes"`
	Text   string `yaml:"text" json:"text" doc:"what is to be done" need:"yes"`
	Due    Date   `yaml:"due,omitempty" json:"due,omitempty" doc:"by when"`
	Done   Date   `yaml:"done,omitempty" json:"done,omitempty" doc:"when it was done" past:"yes"`
	Inform bool   `yaml:"inform,omitempty" json:"inform,omitempty" doc:"it is a duty to inform somebody"`
}

// Scope is the scope of the management system (ISO 42001 4.3); there is one.
type Scope struct {
	Base       `yaml:",inline"`
	Statement  string      `yaml:"statement" json:"statement" doc:"the scope in a paragraph" need:"yes"`
	Boundaries []string    `yaml:"boundaries,omitempty" json:"boundaries,omitempty" doc:"sites, units, services within it"`
	Exclusions []Exclusion `yaml:"exclusions,omitempty" json:"exclusions,omitempty" doc:"what is left out, and why"`
	Interfaces []string    `yaml:"interfaces,omitempty" json:"interfaces,omitempty" doc:"what crosses the boundary"`
}

// Exclusion is something that the scope leaves out.
type Exclusion struct {
	Text   string `yaml:"text" json:"text" doc:"what is left out" need:"yes"`
	Reason string `yaml:"reason" json:"reason" doc:"why" need:"yes"`
}

// Document is documented information in words: the AI policy and everything
// else that is kept as text (ISO 42001 5.2, 7.5, A.2, A.6.2.7, A.8.2). It is a
// Markdown file; its front matter is this record, its text is Body.
type Document struct {
	Base         `yaml:",inline"`
	Title        string      `yaml:"title" json:"title" doc:"title" need:"yes"`
	Type         string      `yaml:"type" json:"type" doc:"what it is" enum:"ai-policy,policy,procedure,process,plan,specification,design,technical,user-information,report,minutes,record,other" need:"yes"`
	Version      string      `yaml:"version" json:"version" doc:"version as people name it" need:"yes"`
	Reviewed     Date        `yaml:"reviewed,omitempty" json:"reviewed,omitempty" doc:"last review" past:"yes"`
	Distribution []string    `yaml:"distribution,omitempty" json:"distribution,omitempty" doc:"roles that must know it; each person holding one acknowledges it" ref:"role"`
	Requirements []string    `yaml:"requirements,omitempty" json:"requirements,omitempty" doc:"requirements that it serves" ref:"requirement"`
	Items        []string    `yaml:"items,omitempty" json:"items,omitempty" doc:"clauses whose required documented information it is" ref:"requirement"`
	Agents       []string    `yaml:"agents,omitempty" json:"agents,omitempty" doc:"agents that it describes" ref:"agent"`
	AgentVersion string      `yaml:"agent_version,omitempty" json:"agent_version,omitempty" doc:"version of the agent that it describes"`
	AsBuilt      string      `yaml:"as_built,omitempty" json:"as_built,omitempty" doc:"digest of the build that a design describes"`
	Audience     []string    `yaml:"audience,omitempty" json:"audience,omitempty" doc:"for whom it is" enum:"users,customers,authorities,partners,staff,assessors,public"`
	Statements   []Statement `yaml:"statements,omitempty" json:"statements,omitempty" doc:"statements of a policy that rules of the enforced policy serve"`
	Related      []Related   `yaml:"related,omitempty" json:"related,omitempty" doc:"other policies that it must agree with"`
	Body         string      `yaml:"-" json:"body,omitempty" doc:"the text, Markdown"`
}

// Statement is one commitment of a policy.
type Statement struct {
	ID          string   `yaml:"id" json:"id" doc:"its id in this document" need:"yes"`
	Text        string   `yaml:"text" json:"text" doc:"the statement" need:"yes"`
	Enforceable bool     `yaml:"enforceable,omitempty" json:"enforceable,omitempty" doc:"a rule of the enforced policy can serve it"`
	Rules       []string `yaml:"rules,omitempty" json:"rules,omitempty" doc:"ids of those rules"`
}

// Related is a policy of the organisation that touches AI (ISO 42001 A.2.3).
type Related struct {
	Title    string `yaml:"title" json:"title" doc:"its title" need:"yes"`
	Document string `yaml:"document,omitempty" json:"document,omitempty" doc:"its record, if it is kept here" ref:"document"`
	Changed  Date   `yaml:"changed,omitempty" json:"changed,omitempty" doc:"its last change" past:"yes"`
	Reviewed Date   `yaml:"reviewed,omitempty" json:"reviewed,omitempty" doc:"when its agreement with this one was last looked at" past:"yes"`
}

// RequirementOwner says who answers for a requirement of the standard, by when
// it is to be in place, and what the organisation's own licensed text adds.
type RequirementOwner struct {
	Base `yaml:",inline"`
	Due  Date   `yaml:"due,omitempty" json:"due,omitempty" doc:"by when it is to be in place"`
	Text string `yaml:"text,omitempty" json:"text,omitempty" doc:"overlay from the organisation's own licensed copy; shown beside our summary, never exported in packs"`
}

// RetentionRule says how long records are kept (ISO 42001 7.5.3).
type RetentionRule struct {
	Base    `yaml:",inline"`
	Records string `yaml:"records" json:"records" doc:"which records" enum:"payloads,receipts,registers,documents" need:"yes"`
	Days    int    `yaml:"days" json:"days" doc:"how many days they are kept at least" need:"yes"`
	Reason  string `yaml:"reason" json:"reason" doc:"why so long" need:"yes"`
}

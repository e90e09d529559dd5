package record

// AISystem is an AI system as the organisation sees it (ISO 42001 4.1, A.4.2).
type AISystem struct {
	Base          `yaml:",inline"`
	Name          string   `yaml:"name" json:"name" doc:"name" need:"yes"`
	Description   string   `yaml:"description,omitempty" json:"description,omitempty" doc:"what it does"`
	Role          string   `yaml:"role,omitempty" json:"role,omitempty" doc:"role of the organisation for it" enum:"provider,producer,developer,deployer,user"`
	Jurisdictions []string `yaml:"jurisdictions,omitempty" json:"jurisdictions,omitempty" doc:"where it is used"`
	EUAIAct       *EUAIAct `yaml:"eu_ai_act,omitempty" json:"eu_ai_act,omitempty" doc:"what of the EU AI Act applies to it"`
}

// EUAIAct answers what of the EU AI Act applies to a system.
type EUAIAct struct {
	Role         string `yaml:"role,omitempty" json:"role,omitempty" doc:"role under the Act" enum:"provider,deployer,importer,distributor,none"`
	Prohibited   *bool  `yaml:"prohibited,omitempty" json:"prohibited,omitempty" doc:"does it touch a prohibited practice"`
	HighRisk     string `yaml:"high_risk,omitempty" json:"high_risk,omitempty" doc:"is it high-risk" enum:"none,annex-i,annex-iii"`
	Transparency *bool  `yaml:"transparency,omitempty" json:"transparency,omitempty" doc:"does it deal with people or make content, so that they must be told"`
	Reason       string `yaml:"reason,omitempty" json:"reason,omitempty" doc:"why these answers"`
	Decided      Date   `yaml:"decided,omitempty" json:"decided,omitempty" doc:"when they were given" past:"yes"`
}

// Agent is an agent as it is documented (ISO 42001 A.4.2, A.6.2.2, A.9.4). Its
// life-cycle stage is not written here: only gates move it.
type Agent struct {
	Base          `yaml:",inline"`
	Name          string      `yaml:"name,omitempty" json:"name,omitempty" doc:"name"`
	System        string      `yaml:"system,omitempty" json:"system,omitempty" doc:"AI system that it belongs to" ref:"ai_system"`
	Overseer      string      `yaml:"overseer,omitempty" json:"overseer,omitempty" doc:"person who watches it and can stop it" ref:"person"`
	Operator      string      `yaml:"operator,omitempty" json:"operator,omitempty" doc:"person who runs it" ref:"person"`
	InScope       *bool       `yaml:"in_scope,omitempty" json:"in_scope,omitempty" doc:"is it in the scope of the management system"`
	ScopeReason   string      `yaml:"scope_reason,omitempty" json:"scope_reason,omitempty" doc:"why"`
	NoImpact      string      `yaml:"no_impact,omitempty" json:"no_impact,omitempty" doc:"why it needs no impact assessment"`
	Role          string      `yaml:"role,omitempty" json:"role,omitempty" doc:"role of the organisation for it" enum:"provider,producer,developer,deployer,user"`
	Autonomy      string      `yaml:"autonomy,omitempty" json:"autonomy,omitempty" doc:"how much it does without people" enum:"suggests,acts-after-approval,acts-and-reports,acts-alone"`
	Version       string      `yaml:"version,omitempty" json:"version,omitempty" doc:"version that is live or is to go live"`
	Build         string      `yaml:"build,omitempty" json:"build,omitempty" doc:"digest of that version's build"`
	Purposes      []string    `yaml:"purposes,omitempty" json:"purposes,omitempty" doc:"what it may be used for" ref:"purpose"`
	Models        []string    `yaml:"models,omitempty" json:"models,omitempty" doc:"models that it uses" ref:"model"`
	Servers       []string    `yaml:"servers,omitempty" json:"servers,omitempty" doc:"MCP servers that it works with" ref:"server"`
	Tools         []string    `yaml:"tools,omitempty" json:"tools,omitempty" doc:"tools that it may use, server___tool; empty: those of its servers"`
	DataSources   []string    `yaml:"data_sources,omitempty" json:"data_sources,omitempty" doc:"data that it uses" ref:"data_source"`
	Compute       []string    `yaml:"compute,omitempty" json:"compute,omitempty" doc:"where it runs" ref:"compute"`
	Jurisdictions []string    `yaml:"jurisdictions,omitempty" json:"jurisdictions,omitempty" doc:"where people are affected by it"`
	Delegates     []string    `yaml:"delegates,omitempty" json:"delegates,omitempty" doc:"agents that it may give work to" ref:"agent"`
	Specification string      `yaml:"specification,omitempty" json:"specification,omitempty" doc:"document with its requirements" ref:"document"`
	Design        string      `yaml:"design,omitempty" json:"design,omitempty" doc:"document with its design" ref:"document"`
	Acceptance    []Criterion `yaml:"acceptance,omitempty" json:"acceptance,omitempty" doc:"what a version must show before it goes live"`
	OversightRule []string    `yaml:"oversight_rules,omitempty" json:"oversight_rules,omitempty" doc:"ids of rules at which people are asked: its oversight points"`
}

// Criterion is an acceptance criterion of an agent (ISO 42001 A.6.2.2, A.6.2.4).
type Criterion struct {
	ID          string   `yaml:"id" json:"id" doc:"its id in this list" need:"yes"`
	Text        string   `yaml:"text" json:"text" doc:"what must hold" need:"yes"`
	Scenarios   []string `yaml:"scenarios,omitempty" json:"scenarios,omitempty" doc:"rehearsed scenarios that show it"`
	Evaluations []string `yaml:"evaluations,omitempty" json:"evaluations,omitempty" doc:"evaluations that show it" ref:"evaluation"`
	Controls    []string `yaml:"controls,omitempty" json:"controls,omitempty" doc:"controls that it serves" ref:"control"`
}

// Purpose is an intended use (ISO 42001 A.9.4).
type Purpose struct {
	Base        `yaml:",inline"`
	Text        string   `yaml:"text" json:"text" doc:"what it means, in a sentence" need:"yes"`
	IntendedUse string   `yaml:"intended_use,omitempty" json:"intended_use,omitempty" doc:"who uses it for what, in which context"`
	Limits      []string `yaml:"limits,omitempty" json:"limits,omitempty" doc:"what it must not be used for"`
	Objectives  []string `yaml:"objectives,omitempty" json:"objectives,omitempty" doc:"objectives of responsible use that it follows" ref:"objective"`
}

// Model is a model and where it comes from (ISO 42001 A.4.2, A.10.3).
type Model struct {
	Base       `yaml:",inline"`
	Name       string `yaml:"name" json:"name" doc:"name as its provider gives it" need:"yes"`
	Provider   string `yaml:"provider" json:"provider" doc:"who provides it" ref:"supplier" need:"yes"`
	Version    string `yaml:"version,omitempty" json:"version,omitempty" doc:"version or snapshot"`
	Region     string `yaml:"region,omitempty" json:"region,omitempty" doc:"where it is run"`
	Terms      string `yaml:"terms,omitempty" json:"terms,omitempty" doc:"terms that apply"`
	Evaluation string `yaml:"evaluation,omitempty" json:"evaluation,omitempty" doc:"what is known of its quality"`
	Deprecated Date   `yaml:"deprecated,omitempty" json:"deprecated,omitempty" doc:"when its provider ends it"`
}

// Supplier is a third party that AI systems depend on (ISO 42001 A.10.2, A.10.3).
type Supplier struct {
	Base             `yaml:",inline"`
	Name             string               `yaml:"name" json:"name" doc:"name" need:"yes"`
	Services         []string             `yaml:"services,omitempty" json:"services,omitempty" doc:"what it supplies"`
	Critical         bool                 `yaml:"critical,omitempty" json:"critical,omitempty" doc:"work stops without it"`
	Assessments      []SupplierAssessment `yaml:"assessments,omitempty" json:"assessments,omitempty" doc:"how it was judged, newest last"`
	Responsibilities []Responsibility     `yaml:"responsibilities,omitempty" json:"responsibilities,omitempty" doc:"who does what"`
}

// SupplierAssessment is a judgement of a supplier.
type SupplierAssessment struct {
	On    Date   `yaml:"on" json:"on" doc:"when" past:"yes" need:"yes"`
	By    string `yaml:"by" json:"by" doc:"who judged" ref:"person" need:"yes"`
	Valid Date   `yaml:"valid" json:"valid" doc:"until when it counts" need:"yes"`
	Text  string `yaml:"text,omitempty" json:"text,omitempty" doc:"what was looked at and found"`
	// Result is the judgement.
	Result string `yaml:"result" json:"result" doc:"the judgement" enum:"accepted,conditional,refused" need:"yes"`
}

// Responsibility is one allocated task between the organisation and a third party.
type Responsibility struct {
	Text string `yaml:"text" json:"text" doc:"the task" need:"yes"`
	Who  string `yaml:"who" json:"who" doc:"who does it" enum:"us,them,shared" need:"yes"`
}

// Server is an MCP server; its id is the name in the configuration (ISO 42001 A.4.4).
type Server struct {
	Base      `yaml:",inline"`
	Supplier  string `yaml:"supplier,omitempty" json:"supplier,omitempty" doc:"who supplies it; empty: the organisation itself" ref:"supplier"`
	Transport string `yaml:"transport,omitempty" json:"transport,omitempty" doc:"how it is reached" enum:"stdio,http"`
	Version   string `yaml:"version,omitempty" json:"version,omitempty" doc:"version"`
	Risk      string `yaml:"risk,omitempty" json:"risk,omitempty" doc:"how much harm it can do" enum:"low,medium,high"`
	Reviewed  Date   `yaml:"reviewed,omitempty" json:"reviewed,omitempty" doc:"last review" past:"yes"`
}

// Tool is a tool of an MCP server; its id is server___tool (ISO 42001 A.4.4).
type Tool struct {
	Base     `yaml:",inline"`
	Risk     string `yaml:"risk,omitempty" json:"risk,omitempty" doc:"how much harm it can do" enum:"low,medium,high"`
	Reviewed Date   `yaml:"reviewed,omitempty" json:"reviewed,omitempty" doc:"last review of its pin and labels" past:"yes"`
}

// DataSource is data that agents use (ISO 42001 A.4.3, A.7).
type DataSource struct {
	Base        `yaml:",inline"`
	Name        string         `yaml:"name" json:"name" doc:"name" need:"yes"`
	Source      string         `yaml:"source,omitempty" json:"source,omitempty" doc:"where the data comes from"`
	Rights      string         `yaml:"rights,omitempty" json:"rights,omitempty" doc:"licence or right to use it"`
	Categories  []string       `yaml:"categories,omitempty" json:"categories,omitempty" doc:"what is in it" enum:"personal,special-category,confidential,public,operational,synthetic"`
	Process     string         `yaml:"process,omitempty" json:"process,omitempty" doc:"process by which it is managed, or how it was acquired"`
	Servers     []string       `yaml:"servers,omitempty" json:"servers,omitempty" doc:"MCP servers through which it is read" ref:"server"`
	Version     string         `yaml:"version,omitempty" json:"version,omitempty" doc:"version or digest"`
	Checks      []QualityCheck `yaml:"quality_checks,omitempty" json:"quality_checks,omitempty" doc:"quality criteria with their last result"`
	Provenance  string         `yaml:"provenance,omitempty" json:"provenance,omitempty" doc:"what is known of its history"`
	Preparation []Preparation  `yaml:"preparation,omitempty" json:"preparation,omitempty" doc:"how it was prepared"`
}

// QualityCheck is a criterion of data quality and its result (ISO 42001 A.7.4).
type QualityCheck struct {
	Criterion string `yaml:"criterion" json:"criterion" doc:"what must hold" need:"yes"`
	On        Date   `yaml:"on,omitempty" json:"on,omitempty" doc:"when it was last checked" past:"yes"`
	Result    string `yaml:"result,omitempty" json:"result,omitempty" doc:"the result" enum:"pass,fail"`
}

// Preparation is one step of preparing data (ISO 42001 A.7.6).
type Preparation struct {
	Text   string `yaml:"text" json:"text" doc:"what was done and why" need:"yes"`
	Digest string `yaml:"digest,omitempty" json:"digest,omitempty" doc:"digest of its configuration"`
}

// Compute is where agents run (ISO 42001 A.4.5).
type Compute struct {
	Base     `yaml:",inline"`
	Name     string `yaml:"name" json:"name" doc:"name" need:"yes"`
	Supplier string `yaml:"supplier,omitempty" json:"supplier,omitempty" doc:"who supplies it" ref:"supplier"`
	Region   string `yaml:"region,omitempty" json:"region,omitempty" doc:"where it stands"`
	Hosts    string `yaml:"hosts,omitempty" json:"hosts,omitempty" doc:"machines and accelerators"`
	Egress   string `yaml:"egress,omitempty" json:"egress,omitempty" doc:"what it may reach"`
	Energy   string `yaml:"energy,omitempty" json:"energy,omitempty" doc:"energy, where it is known"`
}

// Evaluation is a run of a test of function, robustness or bias (ISO 42001 A.6.2.4).
type Evaluation struct {
	Base         `yaml:",inline"`
	Agent        string `yaml:"agent" json:"agent" doc:"agent" ref:"agent" need:"yes"`
	AgentVersion string `yaml:"agent_version" json:"agent_version" doc:"version of the agent" need:"yes"`
	On           Date   `yaml:"on" json:"on" doc:"when" past:"yes" need:"yes"`
	Data         string `yaml:"data,omitempty" json:"data,omitempty" doc:"data that it used, with digest"`
	Metric       string `yaml:"metric" json:"metric" doc:"what was measured" need:"yes"`
	Threshold    string `yaml:"threshold" json:"threshold" doc:"what it had to reach" need:"yes"`
	Value        string `yaml:"value" json:"value" doc:"what it reached" need:"yes"`
	Result       string `yaml:"result" json:"result" doc:"the result" enum:"pass,fail" need:"yes"`
}

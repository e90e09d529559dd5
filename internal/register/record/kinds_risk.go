package record

// Threat is something that can go wrong with agents (ISO 42001 6.1.2).
type Threat struct {
	Base      `yaml:",inline"`
	Title     string   `yaml:"title" json:"title" doc:"title" need:"yes"`
	OWASP     []string `yaml:"owasp,omitempty" json:"owasp,omitempty" doc:"ids of the OWASP Top 10 for Agentic Applications, ASI01 to ASI10"`
	ATLAS     []string `yaml:"atlas,omitempty" json:"atlas,omitempty" doc:"ids of MITRE ATLAS techniques"`
	Agents    []string `yaml:"agents,omitempty" json:"agents,omitempty" doc:"agents that it concerns; empty: all" ref:"agent"`
	Assets    string   `yaml:"assets,omitempty" json:"assets,omitempty" doc:"what would be harmed"`
	TreatedBy []string `yaml:"treated_by,omitempty" json:"treated_by,omitempty" doc:"ids of rules that treat it"`
}

// RiskCriteria are the criteria and the process of risk assessment (ISO 42001 6.1.1, 6.1.2).
type RiskCriteria struct {
	Base            `yaml:",inline"`
	Process         string  `yaml:"process" json:"process" doc:"how risks are found, analysed and evaluated" need:"yes"`
	Likelihood      []Scale `yaml:"likelihood" json:"likelihood" doc:"levels of likelihood, rising from 1" need:"yes"`
	Severity        []Scale `yaml:"severity" json:"severity" doc:"levels of severity, rising from 1" need:"yes"`
	AcceptUpTo      int     `yaml:"accept_up_to" json:"accept_up_to" doc:"the highest level, likelihood × severity, that needs no treatment" need:"yes"`
	AssessEveryDays int     `yaml:"assess_every_days" json:"assess_every_days" doc:"the interval between assessments of an agent" need:"yes"`
}

// Scale is one level of a scale.
type Scale struct {
	Level int    `yaml:"level" json:"level" doc:"its number" need:"yes"`
	Text  string `yaml:"text" json:"text" doc:"what it means" need:"yes"`
}

// Consequences are kept apart by who bears them (ISO 42001 6.1.2).
type Consequences struct {
	Organisation Consequence `yaml:"organisation" json:"organisation" doc:"for the organisation"`
	Individuals  Consequence `yaml:"individuals" json:"individuals" doc:"for individuals and groups of them"`
	Society      Consequence `yaml:"society" json:"society" doc:"for societies"`
}

// Consequence is what would happen to one of them.
type Consequence struct {
	Text     string `yaml:"text,omitempty" json:"text,omitempty" doc:"what would happen; or why nothing would"`
	Severity int    `yaml:"severity,omitempty" json:"severity,omitempty" doc:"level of severity; 0: none"`
}

// Risk is a risk or an opportunity (ISO 42001 6.1.1, 6.1.2, 8.2). Its level is
// not written but computed: likelihood × the highest severity.
type Risk struct {
	Base         `yaml:",inline"`
	Title        string       `yaml:"title" json:"title" doc:"title" need:"yes"`
	Opportunity  bool         `yaml:"opportunity,omitempty" json:"opportunity,omitempty" doc:"something good that may come"`
	Cause        string       `yaml:"cause,omitempty" json:"cause,omitempty" doc:"what would bring it about"`
	Agents       []string     `yaml:"agents,omitempty" json:"agents,omitempty" doc:"agents that it concerns; empty: all" ref:"agent"`
	Threats      []string     `yaml:"threats,omitempty" json:"threats,omitempty" doc:"threats behind it: ids of the threat register or of the library that ships"`
	Consequences Consequences `yaml:"consequences,omitempty" json:"consequences" doc:"consequences, by who bears them"`
	Likelihood   int          `yaml:"likelihood,omitempty" json:"likelihood,omitempty" doc:"level of likelihood"`
	Criteria     string       `yaml:"criteria,omitempty" json:"criteria,omitempty" doc:"criteria by which it was assessed" ref:"risk_criteria"`
	Assessed     Date         `yaml:"assessed,omitempty" json:"assessed,omitempty" doc:"when it was last assessed" past:"yes"`
	Decision     string       `yaml:"decision,omitempty" json:"decision,omitempty" doc:"what is done" enum:"treat,accept,avoid,share,pursue"`
	Controls     []string     `yaml:"controls,omitempty" json:"controls,omitempty" doc:"controls of Annex A that answer it" ref:"control"`
}

// Treatment is what is done about risks (ISO 42001 6.1.3, 8.3). Acceptance of
// the residual risk is a mark of a person.
type Treatment struct {
	Base       `yaml:",inline"`
	Risks      []string       `yaml:"risks" json:"risks" doc:"risks that it treats" ref:"risk" need:"yes"`
	Text       string         `yaml:"text" json:"text" doc:"what is done" need:"yes"`
	Controls   []string       `yaml:"controls,omitempty" json:"controls,omitempty" doc:"controls of Annex A" ref:"control"`
	Rules      []string       `yaml:"rules,omitempty" json:"rules,omitempty" doc:"ids of rules of the enforced policy"`
	Due        Date           `yaml:"due,omitempty" json:"due,omitempty" doc:"by when" `
	Extended   *Extension     `yaml:"extended,omitempty" json:"extended,omitempty" doc:"a later date, with its reason"`
	Done       Date           `yaml:"done,omitempty" json:"done,omitempty" doc:"when it was done" past:"yes"`
	Effective  *Effectiveness `yaml:"effective,omitempty" json:"effective,omitempty" doc:"what showed that it works"`
	Likelihood int            `yaml:"residual_likelihood,omitempty" json:"residual_likelihood,omitempty" doc:"level of likelihood that is left"`
	Severity   int            `yaml:"residual_severity,omitempty" json:"residual_severity,omitempty" doc:"level of severity that is left"`
}

// Extension is a later date for something due.
type Extension struct {
	Until  Date   `yaml:"until" json:"until" doc:"new date" need:"yes"`
	Reason string `yaml:"reason" json:"reason" doc:"why" need:"yes"`
}

// Effectiveness is evidence that something works.
type Effectiveness struct {
	On        Date     `yaml:"on" json:"on" doc:"when that was looked at" past:"yes" need:"yes"`
	Text      string   `yaml:"text" json:"text" doc:"what was seen" need:"yes"`
	Scenarios []string `yaml:"scenarios,omitempty" json:"scenarios,omitempty" doc:"rehearsed scenarios that show it"`
}

// ImpactAssessment is an AI system impact assessment (ISO 42001 6.1.4, 8.4, A.5).
// What an agent does outside the bounds assessed here makes it due again.
type ImpactAssessment struct {
	Base          `yaml:",inline"`
	Agents        []string `yaml:"agents" json:"agents" doc:"agents that it assesses" ref:"agent" need:"yes"`
	Assessed      Date     `yaml:"assessed" json:"assessed" doc:"when" past:"yes" need:"yes"`
	IntendedUse   string   `yaml:"intended_use" json:"intended_use" doc:"intended use" need:"yes"`
	Misuse        string   `yaml:"misuse,omitempty" json:"misuse,omitempty" doc:"foreseeable misuse"`
	Context       string   `yaml:"context,omitempty" json:"context,omitempty" doc:"where and by whom it is used"`
	Purposes      []string `yaml:"purposes,omitempty" json:"purposes,omitempty" doc:"purposes within its bounds" ref:"purpose"`
	Jurisdictions []string `yaml:"jurisdictions,omitempty" json:"jurisdictions,omitempty" doc:"jurisdictions within its bounds"`
	Models        []string `yaml:"models,omitempty" json:"models,omitempty" doc:"models within its bounds" ref:"model"`
	Servers       []string `yaml:"servers,omitempty" json:"servers,omitempty" doc:"MCP servers within its bounds" ref:"server"`
	Tools         []string `yaml:"tools,omitempty" json:"tools,omitempty" doc:"tools within its bounds, server___tool; empty: those of its servers"`
	DataSources   []string `yaml:"data_sources,omitempty" json:"data_sources,omitempty" doc:"data within its bounds" ref:"data_source"`
	Groups        []Group  `yaml:"groups,omitempty" json:"groups,omitempty" doc:"who is affected, and how"`
	Societal      Societal `yaml:"societal,omitempty" json:"societal" doc:"effects on societies"`
	Risks         []string `yaml:"risks,omitempty" json:"risks,omitempty" doc:"risks that it found" ref:"risk"`
	Triggers      []string `yaml:"triggers,omitempty" json:"triggers,omitempty" doc:"what makes it due again" enum:"new-tool,new-server,new-data-source,new-model,new-jurisdiction,new-purpose,incident,interval"`
	Result        string   `yaml:"result" json:"result" doc:"the result" enum:"proceed,conditions,stop" need:"yes"`
	Conditions    []string `yaml:"conditions,omitempty" json:"conditions,omitempty" doc:"conditions under which it may proceed"`
}

// Group is a group of affected people (ISO 42001 A.5.4).
type Group struct {
	Who        string `yaml:"who" json:"who" doc:"who they are" need:"yes"`
	Impact     string `yaml:"impact" json:"impact" doc:"what happens to them, good and bad" need:"yes"`
	Severity   int    `yaml:"severity,omitempty" json:"severity,omitempty" doc:"level of severity"`
	Likelihood int    `yaml:"likelihood,omitempty" json:"likelihood,omitempty" doc:"level of likelihood"`
	Mitigation string `yaml:"mitigation,omitempty" json:"mitigation,omitempty" doc:"what is done about it"`
}

// Societal is the assessment of effects on societies (ISO 42001 A.5.5).
type Societal struct {
	Relevant *bool  `yaml:"relevant,omitempty" json:"relevant,omitempty" doc:"are there any worth naming"`
	Text     string `yaml:"text,omitempty" json:"text,omitempty" doc:"which, or why none"`
}

// Applicability is the decision on one control of Annex A (ISO 42001 6.1.3); its
// id is the control's.
type Applicability struct {
	Base           `yaml:",inline"`
	Applicable     *bool    `yaml:"applicable,omitempty" json:"applicable,omitempty" doc:"is the control kept"`
	Justification  string   `yaml:"justification,omitempty" json:"justification,omitempty" doc:"why it is kept or left out"`
	Implementation string   `yaml:"implementation,omitempty" json:"implementation,omitempty" doc:"how far it is in place" enum:"implemented,partly,planned,none"`
	How            string   `yaml:"how,omitempty" json:"how,omitempty" doc:"how it is put into practice"`
	Risks          []string `yaml:"risks,omitempty" json:"risks,omitempty" doc:"risks that it treats" ref:"risk"`
	Obligations    []string `yaml:"obligations,omitempty" json:"obligations,omitempty" doc:"obligations that ask for it" ref:"obligation"`
	Rules          []string `yaml:"rules,omitempty" json:"rules,omitempty" doc:"ids of rules of the enforced policy, beside those that name the control themselves"`
	Documents      []string `yaml:"documents,omitempty" json:"documents,omitempty" doc:"documents that describe it" ref:"document"`
}

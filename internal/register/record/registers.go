package record

// Registers is every record, by kind. The yaml name of a field is the key in
// files; the json name is the kind's name everywhere else (ref tags, commands,
// receipts); ids names what its ids are where they are not chosen freely.
type Registers struct {
	Organisation      []Organisation     `yaml:"organisation,omitempty" json:"organisation,omitempty" doc:"the organisation and its context (ISO 42001 4.1)" single:"yes"`
	Parties           []Party            `yaml:"interested_parties,omitempty" json:"party,omitempty" doc:"interested parties and what they require (ISO 42001 4.2)"`
	Obligations       []Obligation       `yaml:"obligations,omitempty" json:"obligation,omitempty" doc:"legal, contractual and voluntary duties (ISO 42001 4.2)"`
	Scope             []Scope            `yaml:"scope,omitempty" json:"scope,omitempty" doc:"the scope of the management system (ISO 42001 4.3)" single:"yes"`
	Documents         []Document         `yaml:"documents,omitempty" json:"document,omitempty" doc:"documented information in words, such as the AI policy (ISO 42001 5.2, 7.5)"`
	Owners            []RequirementOwner `yaml:"requirements,omitempty" json:"requirement_owner,omitempty" doc:"who answers for a requirement of the standard, and by when; its id is the requirement's" ids:"requirement"`
	Retention         []RetentionRule    `yaml:"retention_rules,omitempty" json:"retention_rule,omitempty" doc:"how long records are kept (ISO 42001 7.5.3)"`
	People            []Person           `yaml:"people,omitempty" json:"person,omitempty" doc:"people with a part in the management system (ISO 42001 5.3)"`
	Roles             []Role             `yaml:"roles,omitempty" json:"role,omitempty" doc:"roles with responsibility and authority (ISO 42001 5.3, A.3.2)"`
	Assignments       []Assignment       `yaml:"assignments,omitempty" json:"assignment,omitempty" doc:"who holds which role (ISO 42001 5.3)"`
	Competences       []Competence       `yaml:"competences,omitempty" json:"competence,omitempty" doc:"what people must be able to do (ISO 42001 7.2)"`
	Training          []Training         `yaml:"training,omitempty" json:"training,omitempty" doc:"how people came by a competence, and whether it was effective (ISO 42001 7.2, 7.3)"`
	ResourcePlans     []ResourcePlan     `yaml:"resource_plans,omitempty" json:"resource_plan,omitempty" doc:"what the management system gets for a period (ISO 42001 7.1)"`
	AccessReviews     []AccessReview     `yaml:"access_reviews,omitempty" json:"access_review,omitempty" doc:"reviews of who may do what (ISO 42001 5.3, 7.5.3)"`
	Communications    []Communication    `yaml:"communication_plan,omitempty" json:"communication,omitempty" doc:"what is said to whom, when and how (ISO 42001 7.4)"`
	Notifications     []Notification     `yaml:"notifications,omitempty" json:"notification,omitempty" doc:"what was told to somebody (ISO 42001 7.4, A.8)"`
	Systems           []AISystem         `yaml:"ai_systems,omitempty" json:"ai_system,omitempty" doc:"AI systems as the organisation sees them (ISO 42001 A.4.2)"`
	Agents            []Agent            `yaml:"agents,omitempty" json:"agent,omitempty" doc:"agents as they are documented (ISO 42001 A.4.2, A.6.2.2)"`
	Purposes          []Purpose          `yaml:"purposes,omitempty" json:"purpose,omitempty" doc:"intended uses (ISO 42001 A.9.4)"`
	Models            []Model            `yaml:"models,omitempty" json:"model,omitempty" doc:"models and where they come from (ISO 42001 A.4.2, A.10.3)"`
	Suppliers         []Supplier         `yaml:"suppliers,omitempty" json:"supplier,omitempty" doc:"third parties that AI systems depend on (ISO 42001 A.10)"`
	Servers           []Server           `yaml:"servers,omitempty" json:"server,omitempty" doc:"MCP servers; the id is the name in the configuration (ISO 42001 A.4.4)"`
	Tools             []Tool             `yaml:"tools,omitempty" json:"tool,omitempty" doc:"tools of MCP servers; the id is server___tool (ISO 42001 A.4.4)" ids:"tool"`
	DataSources       []DataSource       `yaml:"data_sources,omitempty" json:"data_source,omitempty" doc:"data that agents use: origin, rights, quality, provenance (ISO 42001 A.4.3, A.7)"`
	Compute           []Compute          `yaml:"compute,omitempty" json:"compute,omitempty" doc:"where agents run (ISO 42001 A.4.5)"`
	Evaluations       []Evaluation       `yaml:"evaluations,omitempty" json:"evaluation,omitempty" doc:"tests of function, robustness and bias (ISO 42001 A.6.2.4)"`
	Threats           []Threat           `yaml:"threats,omitempty" json:"threat,omitempty" doc:"what can go wrong with agents (ISO 42001 6.1.2)"`
	RiskCriteria      []RiskCriteria     `yaml:"risk_criteria,omitempty" json:"risk_criteria,omitempty" doc:"criteria and process of risk assessment (ISO 42001 6.1.1, 6.1.2)"`
	Risks             []Risk             `yaml:"risks,omitempty" json:"risk,omitempty" doc:"risks and opportunities, with consequences by who bears them (ISO 42001 6.1, 8.2)"`
	Treatments        []Treatment        `yaml:"treatments,omitempty" json:"treatment,omitempty" doc:"what is done about risks (ISO 42001 6.1.3, 8.3)"`
	Impacts           []ImpactAssessment `yaml:"impact_assessments,omitempty" json:"impact_assessment,omitempty" doc:"AI system impact assessments (ISO 42001 6.1.4, 8.4, A.5)"`
	Applicability     []Applicability    `yaml:"applicability,omitempty" json:"applicability,omitempty" doc:"decisions on the controls of Annex A; the id is the control's (ISO 42001 6.1.3)" ids:"control"`
	Objectives        []Objective        `yaml:"objectives,omitempty" json:"objective,omitempty" doc:"AI objectives and their measures (ISO 42001 6.2)"`
	Monitoring        []Monitoring       `yaml:"monitoring_plan,omitempty" json:"monitoring,omitempty" doc:"the monitoring plan, line by line (ISO 42001 9.1, A.6.2.6)"`
	Changes           []Change           `yaml:"changes,omitempty" json:"change,omitempty" doc:"planned changes (ISO 42001 6.3, 8.1)"`
	AuditProgrammes   []AuditProgramme   `yaml:"audit_programmes,omitempty" json:"audit_programme,omitempty" doc:"internal audit programmes (ISO 42001 9.2.2)"`
	Audits            []Audit            `yaml:"audits,omitempty" json:"audit,omitempty" doc:"internal audits (ISO 42001 9.2)"`
	ManagementReviews []ManagementReview `yaml:"management_reviews,omitempty" json:"management_review,omitempty" doc:"reviews by top management (ISO 42001 9.3)"`
	Certification     []Certification    `yaml:"certification,omitempty" json:"certification,omitempty" doc:"the programme with a certification body (ISO/IEC 42006)" single:"yes"`
	OwnCriteria       []OwnCriterion     `yaml:"criteria,omitempty" json:"own_criterion,omitempty" doc:"criteria that the organisation adds, as CEL expressions"`

	// places says where a record was read, for what is wrong with it.
	places map[Key]place
	// aside are the Markdown files that were read and are no documents.
	aside []string
}

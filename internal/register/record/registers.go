package record

// Registers is every record, by kind. The yaml name of a field is the key in
// files; the json name is the kind's name everywhere else (ref tags, commands,
// receipts).
type Registers struct {
	Organisation      []Organisation     `yaml:"organisation,omitempty" json:"organisation,omitempty"`
	Parties           []Party            `yaml:"interested_parties,omitempty" json:"party,omitempty"`
	Obligations       []Obligation       `yaml:"obligations,omitempty" json:"obligation,omitempty"`
	Scope             []Scope            `yaml:"scope,omitempty" json:"scope,omitempty"`
	Documents         []Document         `yaml:"documents,omitempty" json:"document,omitempty"`
	Owners            []RequirementOwner `yaml:"requirements,omitempty" json:"requirement_owner,omitempty"`
	Retention         []RetentionRule    `yaml:"retention_rules,omitempty" json:"retention_rule,omitempty"`
	People            []Person           `yaml:"people,omitempty" json:"person,omitempty"`
	Roles             []Role             `yaml:"roles,omitempty" json:"role,omitempty"`
	Assignments       []Assignment       `yaml:"assignments,omitempty" json:"assignment,omitempty"`
	Competences       []Competence       `yaml:"competences,omitempty" json:"competence,omitempty"`
	Training          []Training         `yaml:"training,omitempty" json:"training,omitempty"`
	ResourcePlans     []ResourcePlan     `yaml:"resource_plans,omitempty" json:"resource_plan,omitempty"`
	AccessReviews     []AccessReview     `yaml:"access_reviews,omitempty" json:"access_review,omitempty"`
	Communications    []Communication    `yaml:"communication_plan,omitempty" json:"communication,omitempty"`
	Notifications     []Notification     `yaml:"notifications,omitempty" json:"notification,omitempty"`
	Systems           []AISystem         `yaml:"ai_systems,omitempty" json:"ai_system,omitempty"`
	Agents            []Agent            `yaml:"agents,omitempty" json:"agent,omitempty"`
	Purposes          []Purpose          `yaml:"purposes,omitempty" json:"purpose,omitempty"`
	Models            []Model            `yaml:"models,omitempty" json:"model,omitempty"`
	Suppliers         []Supplier         `yaml:"suppliers,omitempty" json:"supplier,omitempty"`
	Servers           []Server           `yaml:"servers,omitempty" json:"server,omitempty"`
	Tools             []Tool             `yaml:"tools,omitempty" json:"tool,omitempty"`
	DataSources       []DataSource       `yaml:"data_sources,omitempty" json:"data_source,omitempty"`
	Compute           []Compute          `yaml:"compute,omitempty" json:"compute,omitempty"`
	Evaluations       []Evaluation       `yaml:"evaluations,omitempty" json:"evaluation,omitempty"`
	Threats           []Threat           `yaml:"threats,omitempty" json:"threat,omitempty"`
	RiskCriteria      []RiskCriteria     `yaml:"risk_criteria,omitempty" json:"risk_criteria,omitempty"`
	Risks             []Risk             `yaml:"risks,omitempty" json:"risk,omitempty"`
	Treatments        []Treatment        `yaml:"treatments,omitempty" json:"treatment,omitempty"`
	Impacts           []ImpactAssessment `yaml:"impact_assessments,omitempty" json:"impact_assessment,omitempty"`
	Applicability     []Applicability    `yaml:"applicability,omitempty" json:"applicability,omitempty"`
	Objectives        []Objective        `yaml:"objectives,omitempty" json:"objective,omitempty"`
	Monitoring        []Monitoring       `yaml:"monitoring_plan,omitempty" json:"monitoring,omitempty"`
	Changes           []Change           `yaml:"changes,omitempty" json:"change,omitempty"`
	AuditProgrammes   []AuditProgramme   `yaml:"audit_programmes,omitempty" json:"audit_programme,omitempty"`
	Audits            []Audit            `yaml:"audits,omitempty" json:"audit,omitempty"`
	ManagementReviews []ManagementReview `yaml:"management_reviews,omitempty" json:"management_review,omitempty"`
	Certification     []Certification    `yaml:"certification,omitempty" json:"certification,omitempty"`
	OwnCriteria       []OwnCriterion     `yaml:"criteria,omitempty" json:"own_criterion,omitempty"`
}

package record

// Person is somebody with a part in the management system (ISO 42001 5.3, A.4.6).
type Person struct {
	Base     `yaml:",inline"`
	Name     string `yaml:"name" json:"name" doc:"name" need:"yes"`
	External bool   `yaml:"external,omitempty" json:"external,omitempty" doc:"works for somebody else"`
	Left     Date   `yaml:"left,omitempty" json:"left,omitempty" doc:"when the person left" past:"yes"`
	// Excused is an exception that people can look at, not a hole in a list.
	Excused string `yaml:"excused,omitempty" json:"excused,omitempty" doc:"why the person acknowledges no documents for now, such as long leave"`
}

// Role is a role of the management system (ISO 42001 5.3, A.3.2).
type Role struct {
	Base             `yaml:",inline"`
	Title            string   `yaml:"title" json:"title" doc:"title" need:"yes"`
	TopManagement    bool     `yaml:"top_management,omitempty" json:"top_management,omitempty" doc:"who holds it directs and controls the organisation at the highest level"`
	Responsibilities []string `yaml:"responsibilities,omitempty" json:"responsibilities,omitempty" doc:"what it answers for"`
	Authority        []string `yaml:"authority,omitempty" json:"authority,omitempty" doc:"what it may decide"`
	Competences      []string `yaml:"competences,omitempty" json:"competences,omitempty" doc:"what who holds it must be able to do" ref:"competence"`
	Stages           []string `yaml:"stages,omitempty" json:"stages,omitempty" doc:"life-cycle stages in which it works" enum:"design,development,verification,deployed,retired"`
	// Grants is the role of the installation whose approvals it stands behind.
	Grants string `yaml:"grants,omitempty" json:"grants,omitempty" doc:"role of the installation that its holders use when they release held calls"`
}

// Assignment gives a role to a person (ISO 42001 5.3).
type Assignment struct {
	Base     `yaml:",inline"`
	Role     string `yaml:"role" json:"role" doc:"role" ref:"role" need:"yes"`
	Person   string `yaml:"person" json:"person" doc:"person" ref:"person" need:"yes"`
	From     Date   `yaml:"from" json:"from" doc:"first day" need:"yes"`
	Until    Date   `yaml:"until,omitempty" json:"until,omitempty" doc:"last day"`
	Accepted Date   `yaml:"accepted,omitempty" json:"accepted,omitempty" doc:"when the person accepted it" past:"yes"`
}

// Competence is what people must be able to do (ISO 42001 7.2).
type Competence struct {
	Base      `yaml:",inline"`
	Title     string `yaml:"title" json:"title" doc:"title" need:"yes"`
	Evidence  string `yaml:"evidence,omitempty" json:"evidence,omitempty" doc:"what shows it"`
	ValidDays int    `yaml:"valid_days,omitempty" json:"valid_days,omitempty" doc:"how long it is taken as current; 0: without end"`
}

// Training shows that a person has a competence (ISO 42001 7.2, 7.3).
type Training struct {
	Base       `yaml:",inline"`
	Person     string `yaml:"person" json:"person" doc:"person" ref:"person" need:"yes"`
	Competence string `yaml:"competence" json:"competence" doc:"competence" ref:"competence" need:"yes"`
	On         Date   `yaml:"on" json:"on" doc:"when" past:"yes" need:"yes"`
	How        string `yaml:"how,omitempty" json:"how,omitempty" doc:"how it was gained" enum:"training,experience,education,exercise"`
	Effective  *bool  `yaml:"effective,omitempty" json:"effective,omitempty" doc:"was it effective: the evaluation"`
	Evaluated  Date   `yaml:"evaluated,omitempty" json:"evaluated,omitempty" doc:"when that was evaluated" past:"yes"`
}

// ResourcePlan is what the management system gets for a period (ISO 42001 7.1).
type ResourcePlan struct {
	Base  `yaml:",inline"`
	From  Date           `yaml:"from" json:"from" doc:"first day" need:"yes"`
	Until Date           `yaml:"until" json:"until" doc:"last day" need:"yes"`
	Items []ResourceItem `yaml:"items,omitempty" json:"items,omitempty" doc:"what is provided"`
}

// ResourceItem is one resource.
type ResourceItem struct {
	Text   string `yaml:"text" json:"text" doc:"what" need:"yes"`
	Amount string `yaml:"amount,omitempty" json:"amount,omitempty" doc:"how much"`
}

// AccessReview looks at who may do what (ISO 42001 5.3, 7.5.3).
type AccessReview struct {
	Base      `yaml:",inline"`
	On        Date             `yaml:"on" json:"on" doc:"when" past:"yes" need:"yes"`
	By        string           `yaml:"by" json:"by" doc:"who reviewed" ref:"person" need:"yes"`
	Decisions []AccessDecision `yaml:"decisions,omitempty" json:"decisions,omitempty" doc:"what was decided of each entitlement"`
}

// AccessDecision is the decision on one entitlement.
type AccessDecision struct {
	Subject  string `yaml:"subject" json:"subject" doc:"person or agent" need:"yes"`
	Grant    string `yaml:"grant" json:"grant" doc:"role, key or permission" need:"yes"`
	Decision string `yaml:"decision" json:"decision" doc:"kept or revoked" enum:"keep,revoke" need:"yes"`
	Done     Date   `yaml:"done,omitempty" json:"done,omitempty" doc:"when a revocation was carried out" past:"yes"`
}

// Communication is what is said to whom, when and how (ISO 42001 7.4).
type Communication struct {
	Base     `yaml:",inline"`
	Topic    string `yaml:"topic" json:"topic" doc:"about what" enum:"incidents,policy,changes,interested-parties,concerns,performance,other" need:"yes"`
	Audience string `yaml:"audience" json:"audience" doc:"to whom" need:"yes"`
	When     string `yaml:"when" json:"when" doc:"when" need:"yes"`
	Channel  string `yaml:"channel" json:"channel" doc:"how" need:"yes"`
}

// Notification is something that was told to somebody (ISO 42001 7.4, A.8).
type Notification struct {
	Base      `yaml:",inline"`
	Topic     string `yaml:"topic" json:"topic" doc:"about what" enum:"incidents,policy,changes,interested-parties,concerns,performance,other" need:"yes"`
	To        string `yaml:"to" json:"to" doc:"to whom" need:"yes"`
	Due       Date   `yaml:"due,omitempty" json:"due,omitempty" doc:"by when it had to be sent"`
	Sent      Date   `yaml:"sent,omitempty" json:"sent,omitempty" doc:"when it was sent" past:"yes"`
	Regarding string `yaml:"regarding,omitempty" json:"regarding,omitempty" doc:"kind/id that it is about" ref:"any"`
}

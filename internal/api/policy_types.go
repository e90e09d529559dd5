package api

import (
	"aims/internal/policy/review"
	"aims/pdp"
)

// PolicyFile is one file of a policy bundle.
type PolicyFile struct {
	Name string `json:"name" maxLength:"255" doc:"its path in the bundle: *.cedar, bundle.yaml, tests/*.yaml, tests/tools/<server>.json"`
	Text string `json:"text"`
}

// PolicyFiles asks about, or for, a policy bundle.
type PolicyFiles struct {
	Files []PolicyFile `json:"files,omitempty" doc:"absent: what the server's policy directory now holds"`
}

// PolicyActivation asks to put policies in force: files, or a bundle by its digest.
type PolicyActivation struct {
	PolicyFiles
	Digest      string `json:"digest,omitempty" doc:"of a published bundle, in place of files"`
	Environment string `json:"environment,omitempty" doc:"absent: that of the server"`
}

// PolicyCheck says whether a bundle could be activated, and what there is to
// say of it.
type PolicyCheck struct {
	Valid    bool          `json:"valid" doc:"it compiles"`
	Digest   string        `json:"digest,omitempty" doc:"of the set, after an activation"`
	Bundle   string        `json:"bundle,omitempty" doc:"digest of the bundle"`
	Changed  bool          `json:"changed" doc:"after an activation: the set was not in force before"`
	Problems []pdp.Problem `json:"problems,omitempty"`
	Losses   []pdp.Loss    `json:"losses,omitempty"`
	// Findings are what a check says; an activation gives none.
	Findings []review.Finding `json:"findings,omitempty"`
	Schema   string           `json:"schema,omitempty" doc:"the Cedar schema that the bundle was checked against, when asked for"`
}

// PolicyTests is what became of the tests of a bundle.
type PolicyTests struct {
	Problems []pdp.Problem  `json:"problems,omitempty" doc:"the bundle does not compile, and no test was run"`
	Report   *review.Report `json:"report,omitempty"`
}

// PolicyRef is one side of a comparison: files, or a bundle by its digest.
type PolicyRef struct {
	PolicyFiles
	Digest string `json:"digest,omitempty" doc:"of a bundle that the server has"`
}

// PolicyPair asks what differs between two bundles.
type PolicyPair struct {
	Before PolicyRef `json:"before"`
	After  PolicyRef `json:"after"`
}

// PolicyDiff says what differs between two bundles.
type PolicyDiff struct {
	Problems   []pdp.Problem      `json:"problems,omitempty" doc:"a bundle does not compile"`
	Difference *review.Difference `json:"difference,omitempty"`
}

// PolicyDigest names a bundle.
type PolicyDigest struct {
	Digest string `json:"digest" pattern:"^sha256:[0-9a-f]{64}$" doc:"of the bundle that was looked at"`
}

// PolicyEnvironment names an environment.
type PolicyEnvironment struct {
	Environment string `json:"environment,omitempty" doc:"absent: that of the server"`
}

// PolicyShadow asks to try a bundle beside the active one.
type PolicyShadow struct {
	Digest string `json:"digest,omitempty" doc:"absent: none any more"`
}

// PolicyBundle is a bundle that the server has.
type PolicyBundle struct {
	Digest string       `json:"digest"`
	Files  []PolicyFile `json:"files"`
}

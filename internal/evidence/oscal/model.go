package oscal

// The parts of OSCAL 1.2.1 that are written, named as its JSON names them.

type metadata struct {
	Title        string     `json:"title"`
	LastModified string     `json:"last-modified"`
	Version      string     `json:"version"`
	OSCAL        string     `json:"oscal-version"`
	Props        []property `json:"props,omitempty"`
	Remarks      string     `json:"remarks,omitempty"`
}

type property struct {
	Name    string `json:"name"`
	NS      string `json:"ns,omitempty"`
	Value   string `json:"value"`
	Class   string `json:"class,omitempty"`
	Remarks string `json:"remarks,omitempty"`
}

type part struct {
	ID    string `json:"id,omitempty"`
	Name  string `json:"name"`
	Title string `json:"title,omitempty"`
	Prose string `json:"prose,omitempty"`
	Parts []part `json:"parts,omitempty"`
}

type link struct {
	Href string `json:"href"`
	Rel  string `json:"rel,omitempty"`
	Text string `json:"text,omitempty"`
}

type control struct {
	ID    string     `json:"id"`
	Class string     `json:"class,omitempty"`
	Title string     `json:"title"`
	Props []property `json:"props,omitempty"`
	Parts []part     `json:"parts,omitempty"`
}

type group struct {
	ID       string     `json:"id"`
	Class    string     `json:"class,omitempty"`
	Title    string     `json:"title"`
	Props    []property `json:"props,omitempty"`
	Controls []control  `json:"controls,omitempty"`
}

type catalog struct {
	UUID     string   `json:"uuid"`
	Metadata metadata `json:"metadata"`
	Groups   []group  `json:"groups"`
}

type profile struct {
	UUID     string          `json:"uuid"`
	Metadata metadata        `json:"metadata"`
	Imports  []profileImport `json:"imports"`
	Merge    map[string]bool `json:"merge,omitempty"`
	Modify   *modify         `json:"modify,omitempty"`
}

type profileImport struct {
	Href            string   `json:"href"`
	IncludeControls []withID `json:"include-controls,omitempty"`
}

type withID struct {
	WithIDs []string `json:"with-ids"`
}

type modify struct {
	Alters []alter `json:"alters,omitempty"`
}

type alter struct {
	ControlID string     `json:"control-id"`
	Adds      []addition `json:"adds"`
}

type addition struct {
	Props []property `json:"props,omitempty"`
	Links []link     `json:"links,omitempty"`
	Parts []part     `json:"parts,omitempty"`
}

type results struct {
	UUID     string   `json:"uuid"`
	Metadata metadata `json:"metadata"`
	ImportAP importAP `json:"import-ap"`
	Results  []result `json:"results"`
}

type importAP struct {
	Href    string `json:"href"`
	Remarks string `json:"remarks,omitempty"`
}

type result struct {
	UUID         string        `json:"uuid"`
	Title        string        `json:"title"`
	Description  string        `json:"description"`
	Start        string        `json:"start"`
	End          string        `json:"end"`
	Reviewed     reviewed      `json:"reviewed-controls"`
	Observations []observation `json:"observations,omitempty"`
	Findings     []finding     `json:"findings,omitempty"`
	Remarks      string        `json:"remarks,omitempty"`
}

type reviewed struct {
	Selections []selection `json:"control-selections"`
}

type selection struct {
	Include []controlID `json:"include-controls"`
}

type controlID struct {
	ID string `json:"control-id"`
}

type observation struct {
	UUID        string     `json:"uuid"`
	Title       string     `json:"title"`
	Description string     `json:"description"`
	Props       []property `json:"props,omitempty"`
	Methods     []string   `json:"methods"`
	Evidence    []evidence `json:"relevant-evidence,omitempty"`
	Collected   string     `json:"collected"`
	Expires     string     `json:"expires,omitempty"`
	Remarks     string     `json:"remarks,omitempty"`
}

type evidence struct {
	Href        string `json:"href"`
	Description string `json:"description"`
}

type finding struct {
	UUID        string               `json:"uuid"`
	Title       string               `json:"title"`
	Description string               `json:"description"`
	Target      target               `json:"target"`
	Related     []relatedObservation `json:"related-observations,omitempty"`
	Remarks     string               `json:"remarks,omitempty"`
}

type target struct {
	Type   string `json:"type"`
	ID     string `json:"target-id"`
	Status status `json:"status"`
}

type status struct {
	State   string `json:"state"`
	Reason  string `json:"reason,omitempty"`
	Remarks string `json:"remarks,omitempty"`
}

type relatedObservation struct {
	UUID string `json:"observation-uuid"`
}

type plan struct {
	UUID         string        `json:"uuid"`
	Metadata     metadata      `json:"metadata"`
	System       systemID      `json:"system-id"`
	Observations []observation `json:"observations,omitempty"`
	Findings     []finding     `json:"findings,omitempty"`
	Items        []planItem    `json:"poam-items"`
}

type systemID struct {
	Type string `json:"identifier-type,omitempty"`
	ID   string `json:"id"`
}

type planItem struct {
	UUID        string               `json:"uuid"`
	Title       string               `json:"title"`
	Description string               `json:"description"`
	Props       []property           `json:"props,omitempty"`
	Related     []relatedObservation `json:"related-observations,omitempty"`
}

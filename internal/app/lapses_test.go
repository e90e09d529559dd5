package app

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"aims/internal/aims"
	"aims/internal/api"
	"aims/internal/corrective"
)

// A criterion that held and no longer does is raised as a nonconformity, once; a
// gap that was always there is none.
func TestALapseBecomesANonconformity(t *testing.T) {
	o := newOffice(t, "")
	mara, _ := o.as(aims.PersonType, "mara", "aims_manager")
	henrik, _ := o.as(aims.PersonType, "henrik", "top_management")
	document := func(version string) {
		o.do(mara, "/registers-apply", api.RegisterFiles{Records: []api.RegisterRecord{
			{Kind: "person", Record: json.RawMessage(`{"id":"mara","name":"Mara Example"}`)},
			{Kind: "document", Record: json.RawMessage(`{"id":"ai-policy","owner":"mara","title":"AI policy","type":"ai-policy","version":"` + version + `","body":"We decide."}`)},
		}}, nil)
	}
	document("1")
	var state api.RegisterState
	if err := henrik.Do(t.Context(), http.MethodGet, "/api/v1/registers", nil, &state); err != nil {
		t.Fatal(err)
	}
	for _, r := range state.Records {
		if r.Kind == "document" {
			o.do(henrik, "/registers-marks", api.RegisterMark{Mark: "approve", Kind: r.Kind, ID: "ai-policy", Digest: r.Version.Digest}, nil)
		}
	}
	held := o.app.now()
	raised := func() []corrective.Nonconformity {
		t.Helper()
		if err := o.app.raiseLapses(t.Context(), held); err != nil {
			t.Fatal(err)
		}
		all, err := o.app.corrective.Nonconformities(t.Context(), corrective.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	if all := raised(); len(all) != 0 {
		t.Fatalf("what never held is raised: %+v", all)
	}
	document("2")
	first := raised()
	found := false
	for _, n := range first {
		if n.Criterion == "7.5.2/1" {
			found = true
			if n.Source != corrective.FromCriterion || n.Requirement != "7.5.2" || n.State != corrective.Raised {
				t.Errorf("%+v", n)
			}
			whole, err := o.app.corrective.Nonconformity(t.Context(), n.ID, o.app.now())
			if err != nil {
				t.Fatal(err)
			}
			if text, _ := json.Marshal(whole.Steps[0].Words); !strings.Contains(string(text), "document/ai-policy") {
				t.Errorf("the statement does not name the document: %s", text)
			}
		}
	}
	if !found {
		t.Fatalf("an approved document that was changed is not raised: %+v", first)
	}
	if again := raised(); len(again) != len(first) {
		t.Errorf("looked at again there are %d nonconformities, before %d", len(again), len(first))
	}
}

package app

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"aims/internal/aims"
	"aims/internal/api"
	"aims/internal/register"
	"aims/receipt"
)

// Content of calls goes with its age; what records, attestations and
// nonconformities are proved by stays, so that the registers can be made again
// from the log. Who names a receipt erases that too.
func TestRetentionSparesTheManagementSystem(t *testing.T) {
	o := newOffice(t, "retention: {payloads: 1d}\n")
	manager, _ := o.as(aims.PersonType, "mia", "aims_manager")
	o.do(manager, "/registers-apply", api.RegisterFiles{Records: []api.RegisterRecord{
		{Kind: "person", Record: json.RawMessage(`{"id":"mia","name":"Mia Example"}`)},
	}}, nil)
	o.do(manager, "/registers-marks", api.RegisterMark{Mark: "attest", Kind: "requirement", ID: "7.1", Note: "two people, half of their time", Until: o.app.now().AddDate(0, 3, 0).Format(time.DateOnly)}, nil)
	raised, err := o.step(manager, "", map[string]string{"source": "person", "requirement": "8.3", "grade": "minor", "statement": "nobody looked at the treatment"})
	if err != nil {
		t.Fatal(err)
	}
	o.do(manager, "/concerns", api.Text{Text: "the robot frightens visitors"}, nil)
	size := o.app.ledger.Size()
	o.app.now = func() time.Time { return time.Now().Add(25 * time.Hour) }
	if next := o.app.eraseOld(t.Context(), 0); next != size {
		t.Errorf("the next erasure begins at %d, want %d", next, size)
	}
	if kept := o.kept(o.app); kept != 3 {
		t.Errorf("%d payloads are kept, want those of a record, an attestation and a nonconformity", kept)
	}
	o.app.eraseOld(t.Context(), 0)
	if again := o.kept(o.app); again != 3 {
		t.Errorf("%d payloads are kept by a second erasure from the begin", again)
	}
	v, err := o.app.register.Verify(t.Context())
	if err != nil || len(v.Erased)+len(v.Differences) > 0 || v.Records != 1 || v.Marks != 1 {
		t.Errorf("the registers made again: %+v, %v", v, err)
	}
	n, err := o.app.corrective.Nonconformity(t.Context(), raised.ID, time.Time{})
	if err != nil || n.Steps[0].Words["statement"] == "" {
		t.Errorf("the nonconformity: %+v, %v", n, err)
	}
	o.do(o.admin(o.app), "/payloads/erase", api.Erasure{ID: o.changed(), Rule: "Mia asked for it"}, nil)
	if v, err := o.app.register.Verify(t.Context()); err != nil || len(v.Erased) != 1 {
		t.Errorf("a record whose receipt was named was not erased: %+v, %v", v, err)
	}
	if err := o.app.Stop(); err != nil {
		t.Fatal(err)
	}
	if c, ok := o.verify().Check("payloads"); !ok || c.Exceptions > 0 {
		t.Errorf("payloads: %+v", c)
	}
}

func (o *office) do(c *api.Client, path string, in, out any) {
	o.t.Helper()
	if err := c.Do(o.t.Context(), http.MethodPost, "/api/v1"+path, in, out); err != nil {
		o.t.Fatalf("%s: %v", path, err)
	}
}

// changed is the receipt of the first change of the registers.
func (o *office) changed() string {
	o.t.Helper()
	for leaf, err := range o.app.ledger.Entries(o.t.Context(), 0, o.app.ledger.Size()) {
		if err != nil {
			o.t.Fatal(err)
		}
		if leaf.Kind != receipt.EventKind {
			continue
		}
		if e, err := receipt.DecodeEvent(leaf.Body); err == nil && e.Name == register.ChangedEvent {
			return e.ID
		}
	}
	o.t.Fatal("the registers were never changed")
	return ""
}

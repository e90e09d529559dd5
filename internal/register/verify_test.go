package register_test

import (
	"strings"
	"testing"
	"time"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/register"
	"aims/internal/register/record"
	"aims/internal/store"
	"aims/receipt"
)

// history is registers in which everything has happened.
func history(t *testing.T) *world {
	w := newWorld(t)
	base := w.apply("ada", register.Base{}, risks("one", "two")).Next
	_, err := w.mark("carl", record.Approve, "risk", "r1")
	w.ok(err)
	base = w.apply("bob", base, risks("one")).Next
	w.apply("bob", base, risks("uno", "due"))
	_, err = w.Mark(t.Context(), person("rita"), []string{"clerk"}, decision, record.Mark{
		Kind: record.Attest, On: record.OnRequirement, ID: "6.1.2", Until: "2027-01-01", Note: "By the minutes.",
	})
	w.ok(err)
	return w
}

// Whatever is changed in the tables behind the log's back is found.
func TestTablesThatSomebodyChanged(t *testing.T) {
	for name, statement := range map[string]string{
		"the author of a version":       `UPDATE register_version SET author = 'mallory' WHERE kind = 'risk' AND id = 'r1' AND number = 1`,
		"the text of a record":          `UPDATE register_version SET content = '{"id":"rita","name":"Mallory"}' WHERE kind = 'person' AND id = 'rita'`,
		"the text of an old version":    `UPDATE register_version SET content = '{"id":"r1","title":"x"}' WHERE kind = 'risk' AND id = 'r1' AND number = 1`,
		"text and digest":               `UPDATE register_version SET content = '{"id":"ada","name":"Eve"}', digest = 'sha256:e93d6b1f8c5c4dbbd8f7a0f6e6e9b0d3c7f0a7bd0b3f8a6b0d3c1d7e5f9a2b4c' WHERE kind = 'person' AND id = 'ada'`,
		"a version that is gone":        `DELETE FROM register_version WHERE kind = 'risk' AND id = 'r2' AND number = 1`,
		"a version that never was":      `INSERT INTO register_version (kind, id, number, event, digest, content, author, at, entry, ended, receipt) SELECT kind, 'mallory', number, event, digest, content, author, at, entry, ended, receipt FROM register_version WHERE kind = 'supplier' OR (kind = 'person' AND id = 'ada')`,
		"a record that is hidden":       `UPDATE register_version SET ended = 1 WHERE kind = 'person' AND id = 'carl'`,
		"a record that was removed":     `UPDATE register_version SET ended = 0 WHERE kind = 'risk' AND id = 'r1' AND number = 1`,
		"who approved":                  `UPDATE register_mark SET person = 'bob' WHERE mark = 'approve'`,
		"a role of who attested":        `UPDATE register_mark SET roles = '[]' WHERE mark = 'attest'`,
		"the end of an attestation":     `UPDATE register_mark SET until = '2999-01-01' WHERE mark = 'attest'`,
		"a note":                        `UPDATE register_mark SET note = 'By nothing.' WHERE mark = 'attest'`,
		"a mark that is gone":           `DELETE FROM register_mark WHERE mark = 'approve'`,
		"the time of a version":         `UPDATE register_version SET at = at - 86400000000 WHERE kind = 'person'`,
		"the place of a mark":           `UPDATE register_mark SET entry = entry + 1000 WHERE mark = 'attest'`,
		"the receipt of a version":      `UPDATE register_version SET receipt = 'rcp_x' WHERE kind = 'person' AND id = 'ada'`,
		"what happened to a record":     `UPDATE register_version SET event = 'changed' WHERE kind = 'person' AND id = 'ada'`,
		"everything of the registers":   `DELETE FROM register_version`,
		"the digest that was approved":  `UPDATE register_mark SET digest = 'sha256:x' WHERE mark = 'approve'`,
		"the kind that somebody marked": `UPDATE register_mark SET kind = 'person' WHERE mark = 'approve'`,
	} {
		t.Run(name, func(t *testing.T) {
			w := history(t)
			w.sound()
			w.ok(w.db.Update(t.Context(), func(tx *store.Tx) error {
				_, err := tx.Exec(statement)
				return err
			}))
			v, err := w.Verify(t.Context())
			w.ok(err)
			if len(v.Differences) == 0 {
				t.Error("nothing is found")
			}
		})
	}
}

// A record whose text was changed is not read as if it were one.
func TestChangedTextIsNotRead(t *testing.T) {
	w := history(t)
	w.ok(w.db.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE register_version SET content = '{"id":"rita","name":"Mallory"}' WHERE kind = 'person' AND id = 'rita'`)
		return err
	}))
	_, err := w.At(t.Context(), time.Time{})
	refused(t, err, aims.Internal, "person/rita", "somebody changed the database")
	_, err = w.Apply(t.Context(), person("ada"), decision, register.Base{}, w.files("suppliers: [{id: acme, name: Acme}]"), false)
	refused(t, err, aims.Internal, "person/rita")
}

// Where content was erased from beside the log, that is said, and what can still
// be compared is.
func TestErasedContent(t *testing.T) {
	w := history(t)
	_, err := w.ledger.Erase(t.Context(), ledger.Erasure{
		Erasure: receipt.Erasure{From: 0, To: w.ledger.Size() - 1, Names: []string{receipt.InputPayload}, Rule: "test"}, Actor: aims.System,
	})
	w.ok(err)
	v, err := w.Verify(t.Context())
	w.ok(err)
	if len(v.Erased) != 4 || len(v.Differences) > 0 {
		t.Errorf("erased %v, different %s", v.Erased, strings.Join(v.Differences, "\n"))
	}
	w.ok(w.db.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE register_version SET author = 'mallory' WHERE kind = 'risk' AND id = 'r1' AND number = 1`)
		return err
	}))
	if v, err = w.Verify(t.Context()); err != nil || len(v.Differences) == 0 {
		t.Errorf("an author that was changed is not found: %v", err)
	}
}

// A process that starts again knows everything, also as it was.
func TestRegistersOutliveARestart(t *testing.T) {
	w := history(t)
	before := w.state()
	again, err := register.Open(t.Context(), w.db, w.ledger, w.o)
	w.ok(err)
	after, err := again.At(t.Context(), time.Time{})
	w.ok(err)
	if !before.Registers.Equal(after.Registers) || len(after.Marks) != 2 || len(after.Changes) != len(before.Changes) {
		t.Error("another process sees other registers")
	}
	entries, err := again.Entries(t.Context(), 0, w.ledger.Size())
	w.ok(err)
	if len(entries) != 4 { // three changes, and a mark with a note
		t.Errorf("the content lies beside the entries %v", entries)
	}
}

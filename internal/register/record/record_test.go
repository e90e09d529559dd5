package record

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func asDir(files map[string][]byte) fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: text}
	}
	return out
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := registers(t)
		files := Write(want)
		got, err := ReadDir(asDir(files))
		if err != nil {
			t.Fatalf("%v\n%s", err, slices.Collect(maps.Values(files)))
		}
		if !got.Equal(want) {
			want.Each(func(kind, id string, rec any) {
				other, _ := got.Get(kind, id)
				for _, d := range Diff(rec, other) {
					t.Errorf("%s/%s %s: %q is read back as %q", kind, id, d.Path, d.Before, d.After)
				}
			})
			t.Fatal("not the same registers")
		}
		if diff := cmp.Diff(files, Write(got)); diff != "" {
			t.Fatalf("written again, the files differ:\n%s", diff)
		}
	})
}

func TestCanonicalIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := registers(t)
		var copied Registers
		r.Each(func(kind, id string, rec any) {
			text := Canonical(rec)
			if err := copied.Put(kind, text); err != nil {
				t.Fatal(err)
			}
			got, ok := copied.Get(kind, id)
			if !ok || string(Canonical(got)) != string(text) {
				t.Fatalf("%s became %s", text, Canonical(got))
			}
			plainJSON, err := json.Marshal(rec)
			if err != nil {
				t.Fatal(err)
			}
			if err := copied.Put(kind, plainJSON); err != nil {
				t.Fatal(err)
			}
			if got, _ := copied.Get(kind, id); Digest(got) != Digest(rec) {
				t.Fatalf("the form of the JSON changed the digest of %s", plainJSON)
			}
			if d := Diff(rec, rec); d != nil {
				t.Fatalf("a record differs from itself: %v", d)
			}
			if d := Diff(nil, rec); len(d) == 0 {
				t.Fatal("a new record differs in nothing")
			}
		})
		if !copied.Equal(r) {
			t.Fatal("put one by one, the registers differ")
		}
	})
}

func TestEveryKindIsDescribed(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Kinds() {
		if k.Title == "" || k.Name == "" || k.Key == "" || seen[k.Name] || seen[k.Key+"/"] {
			t.Errorf("%+v", k)
		}
		seen[k.Name], seen[k.Key+"/"] = true, true
	}
	for typ, fields := range shapes {
		names := map[string]bool{}
		for _, f := range fields {
			if f.name == "" || f.doc == "" || names[f.name] {
				t.Errorf("%v: field %q has the description %q", typ, f.name, f.doc)
			}
			names[f.name] = true
			if s := typ.FieldByIndex(f.inner); !f.text && tagName(s, "yaml") != f.name {
				t.Errorf("%v.%s is %q in JSON and %q in YAML", typ, s.Name, f.name, tagName(s, "yaml"))
			}
			if _, ok := kindNamed(f.ref); !ok && !slices.Contains([]string{"", "any", "requirement", "control", "area", "kind"}, f.ref) {
				t.Errorf("%v.%s refers to %q, which is no kind", typ, f.name, f.ref)
			}
		}
	}
	for _, name := range []string{"organisation", "scope", "certification"} {
		if k, _ := kindNamed(name); !k.Single {
			t.Errorf("there is more than one %s", name)
		}
	}
}

func TestPutAndRemove(t *testing.T) {
	r := Registers{Risks: []Risk{{Base: Base{ID: "b"}, Title: "B"}}}
	before := r.Clone()
	for _, text := range []string{`{"id":"c","title":"C"}`, `{"id":"a","title":"A"}`, `{"id":"b","title":"B2"}`} {
		if err := r.Put("risk", []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	r.Each(func(kind, id string, rec any) { got = append(got, kind+"/"+id+" "+rec.(Risk).Title) })
	if diff := cmp.Diff([]string{"risk/a A", "risk/b B2", "risk/c C"}, got); diff != "" {
		t.Error(diff)
	}
	if before.Risks[0].Title != "B" {
		t.Error("Put reached into a clone")
	}
	if !r.Remove("risk", "b") || r.Remove("risk", "b") || r.Remove("riks", "a") || len(r.Risks) != 2 {
		t.Errorf("%+v", r.Risks)
	}
	for kind, text := range map[string]string{
		"risk": `{"id":"x","tittle":"y"}`, "role": `{"title":"no id"}`, "person": `{"id":"x"}{}`, "agent": `[]`, "riks": `{}`,
	} {
		if err := r.Put(kind, []byte(text)); err == nil {
			t.Errorf("%s %s was taken", kind, text)
		}
	}
	if err := r.Put("riks", nil); !strings.Contains(err.Error(), "did you mean risk?") {
		t.Error(err)
	}
}

func TestOverKeepsTheRest(t *testing.T) {
	base := Registers{Risks: []Risk{{Base: Base{ID: "a"}}, {Base: Base{ID: "b"}}}}
	part, err := ReadDir(fstest.MapFS{"x.yaml": {Data: []byte("risks:\n- {id: b, title: new, owner: nobody}\n")}})
	if err != nil {
		t.Fatal(err)
	}
	got := part.Over(base)
	if len(got.Risks) != 2 || got.Risks[1].Title != "new" || base.Risks[1].Title != "" {
		t.Errorf("%+v over %+v", got.Risks, base.Risks)
	}
	for _, p := range got.Check("") {
		if p.ID == "b" && p.Line != 2 {
			t.Errorf("the place was lost: %+v", p)
		}
	}
}

func TestDiffNamesFields(t *testing.T) {
	yes, no := true, false
	before := Obligation{Base: Base{ID: "o"}, Title: "A", Applies: &yes, Parties: []string{"p"}, Duties: []Duty{{ID: "d1", Text: "x"}, {ID: "d2", Text: "y"}}}
	after := before
	after.Title, after.Applies, after.Parties = "B", &no, []string{"p", "q"}
	after.Duties = []Duty{{ID: "d2", Text: "y", Due: "2027-01-01"}, {ID: "d1", Text: "x"}}
	want := []FieldChange{
		{"applies", true, false}, {"duties[d2].due", nil, "2027-01-01"},
		{"parties", []any{"p"}, []any{"p", "q"}}, {"title", "A", "B"},
	}
	if diff := cmp.Diff(want, Diff(before, after)); diff != "" {
		t.Error(diff)
	}
	got := Diff(before, nil)
	if !slices.ContainsFunc(got, func(c FieldChange) bool { return reflect.DeepEqual(c, FieldChange{"title", "A", nil}) }) {
		t.Errorf("%v", got)
	}
}

func TestCanonicalForm(t *testing.T) {
	no, n := false, 1e21
	got := string(Canonical(Objective{Base: Base{ID: "o", Note: "a\"<\n\u2028é\x01"}, Text: "t", AtLeast: &n}))
	if want := "{\"at_least\":1e+21,\"id\":\"o\",\"note\":\"a\\\"<\\n\u2028é\\u0001\",\"text\":\"t\"}"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got := string(Canonical(&Agent{Base: Base{ID: "a"}, InScope: &no, Tools: []string{}})); got != `{"id":"a","in_scope":false}` {
		t.Error(got)
	}
}

package pdp

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	gocmp "github.com/google/go-cmp/cmp"
)

// corpusCase is one file of the integration corpus that ships inside the
// cedar-go module: decisions, reasons and errors by the Rust implementation.
type corpusCase struct {
	Policies string `json:"policies"`
	Entities string `json:"entities"`
	Requests []struct {
		Principal types.EntityUID  `json:"principal"`
		Action    types.EntityUID  `json:"action"`
		Resource  types.EntityUID  `json:"resource"`
		Context   types.Record     `json:"context"`
		Decision  cedar.Decision   `json:"decision"`
		Reasons   []cedar.PolicyID `json:"reason"`
		Errors    []cedar.PolicyID `json:"errors"`
	} `json:"requests"`
}

func corpusFiles(t *testing.T) map[string][]byte {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/cedar-policy/cedar-go").Output()
	if err != nil {
		t.Fatalf("finding the cedar-go module: %v", err)
	}
	archive, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "corpus-tests.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	zipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for reader := tar.NewReader(zipped); ; {
		header, err := reader.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		if files[header.Name], err = io.ReadAll(reader); err != nil {
			t.Fatal(err)
		}
	}
}

// Every request of the corpus: candidates from the index give the corpus's
// reasons and errors, and Decide is the plain evaluator with the two rules.
func TestDecideEqualsCorpus(t *testing.T) {
	files := corpusFiles(t)
	cases, requests := 0, 0
	for name, content := range files {
		if !strings.HasSuffix(name, ".json") || strings.HasSuffix(name, ".entities.json") {
			continue
		}
		var c corpusCase
		if err := json.Unmarshal(content, &c); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		cases++
		requests += len(c.Requests)
		compareCorpusCase(t, name, c, files)
	}
	t.Logf("%d cases, %d requests", cases, requests)
	if cases == 0 || requests == 0 {
		t.Errorf("the corpus is empty: %d cases, %d requests", cases, requests)
	}
}

func compareCorpusCase(t *testing.T, name string, c corpusCase, files map[string][]byte) {
	t.Helper()
	list, err := cedar.NewPolicyListFromBytes(c.Policies, files[c.Policies])
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var rules []rule
	for i, p := range list {
		reason, _ := annotated(p)
		reason.Policy = fmt.Sprintf("policy%d", i) // as the corpus names them
		rules = append(rules, rule{id: types.PolicyID(reason.Policy), policy: p, reason: reason})
	}
	set := newSet(rules, nil)
	var entities types.EntityMap
	if err := json.Unmarshal(files[c.Entities], &entities); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for i, r := range c.Requests {
		req := cedar.Request{Principal: r.Principal, Action: r.Action, Resource: r.Resource, Context: r.Context}
		candidates := selection{rules: set.rules, ordinals: set.index.candidates(req, overlay{set.model, entities})}
		decision, diagnostic := cedar.Authorize(candidates, entities, req)
		var reasons, errors []cedar.PolicyID
		for _, x := range diagnostic.Reasons {
			reasons = append(reasons, x.PolicyID)
		}
		for _, x := range diagnostic.Errors {
			errors = append(errors, x.PolicyID)
		}
		slices.Sort(r.Reasons)
		slices.Sort(r.Errors)
		if decision != r.Decision || !slices.Equal(reasons, r.Reasons) || !slices.Equal(errors, r.Errors) {
			t.Errorf("%s request %d: %v %v %v, the corpus says %v %v %v", name, i, decision, reasons, errors, r.Decision, r.Reasons, r.Errors)
		}
		if got, want := set.Decide(req, entities), reference(set, req, entities); !reflect.DeepEqual(got, want) {
			t.Errorf("%s request %d:\n%s", name, i, gocmp.Diff(want, got))
		}
	}
}

package criteria

import (
	"fmt"
	"slices"
	"strings"

	"aims/internal/register/record"
)

// controlsData asks about data for AI systems (ISO 42001 A.7).
func controlsData() []Criterion {
	return []Criterion{
		ask("A.7.2/1", "dataset_record", "agent data_source",
			"Every data source that an agent uses has an owner and a process by which it is managed.", dataManaged),
		ask("A.7.3/1", "dataset_record", "data_source",
			"Every data source says where it comes from and by which right it is used.", dataAcquired),
		ask("A.7.4/1", "dataset_record evaluation_run", "data_source",
			"Every data source has quality criteria, each checked with its last result passing.", dataChecked),
		ask("A.7.5/1", "dataset_record provenance_event", "data_source server",
			"What agents read in the period came through servers whose data sources state their provenance.", readsKnown),
		ask("A.7.5/2", "provenance_event", "data_source",
			"Every data source says what is known of its history.", provenanceStated),
		ask("A.7.6/1", "dataset_record", "data_source",
			"Each step by which a data source was prepared says why, and has the digest of its configuration beside the version of the data.", dataPrepared),
	}
}

// usedSources are the data sources that agents declare, in the order of the register.
func (in *Input) usedSources() []record.DataSource {
	var list []record.DataSource
	for _, d := range in.Registers.Registers.DataSources {
		if slices.ContainsFunc(in.Registers.Registers.Agents, func(a record.Agent) bool { return slices.Contains(a.DataSources, d.ID) }) {
			list = append(list, d)
		}
	}
	return list
}

func dataManaged(in *Input, n *Count) {
	n.Of = "data sources that agents use"
	for _, d := range in.usedSources() {
		switch {
		case d.Owner == "":
			in.look(n, "data_source", d.ID, false, "has no owner")
		default:
			in.look(n, "data_source", d.ID, strings.TrimSpace(d.Process) != "", "names no process by which it is managed")
		}
	}
	n.note("Data with which providers train their models is not seen.")
}

func dataAcquired(in *Input, n *Count) {
	n.Of = "data sources"
	for _, d := range in.Registers.Registers.DataSources {
		switch {
		case strings.TrimSpace(d.Source) == "":
			in.look(n, "data_source", d.ID, false, "does not say where it comes from")
		default:
			in.look(n, "data_source", d.ID, strings.TrimSpace(d.Rights) != "", "does not say by which right it is used")
		}
	}
}

func dataChecked(in *Input, n *Count) {
	n.Of = "data sources"
	for _, d := range in.Registers.Registers.DataSources {
		wrong := ""
		if len(d.Checks) == 0 {
			wrong = "has no quality criterion"
		}
		for _, c := range d.Checks {
			switch {
			case c.Result == "" || !in.happened(c.On):
				wrong = fmt.Sprintf("has the quality criterion %q, of which no check with a day and a result is recorded", c.Criterion)
			case c.Result == "fail":
				wrong = fmt.Sprintf("failed its quality criterion %q on %s", c.Criterion, c.On)
			}
		}
		in.look(n, "data_source", d.ID, wrong == "", "%s", wrong)
	}
}

func readsKnown(in *Input, n *Count) {
	n.Of = "servers that agents used in the period"
	known := map[string]bool{}
	for _, d := range in.Registers.Registers.DataSources {
		for _, s := range d.Servers {
			known[s] = known[s] || strings.TrimSpace(d.Provenance) != ""
		}
	}
	reads := map[string]uint64{}
	var all, stated uint64
	for _, id := range in.calledTools() {
		t := in.Observed.Tools[id]
		reads[serverOf(id)] += t.Allowed
		all += t.Allowed
		if known[serverOf(id)] {
			stated += t.Allowed
		}
		n.Saw(t.Last, t.Receipt)
	}
	for _, server := range sorted(reads) {
		n.Look(known[server], "server/"+server, "was called %d times up to now and stands behind no data source that states its provenance", reads[server])
	}
	if all > 0 {
		n.note("%d of %d calls went to servers whose data is known. Where data comes from before that is not seen.", stated, all)
	}
}

func provenanceStated(in *Input, n *Count) {
	n.Of = "data sources"
	for _, d := range in.Registers.Registers.DataSources {
		in.look(n, "data_source", d.ID, strings.TrimSpace(d.Provenance) != "", "does not say what is known of its history")
	}
}

func dataPrepared(in *Input, n *Count) {
	n.Of = "steps of preparing data"
	for _, d := range in.Registers.Registers.DataSources {
		for i, p := range d.Preparation {
			in.look(n, "data_source", d.ID, p.Digest != "" && d.Version != "", "has the preparation step %d without the digest of its configuration, or no version of the data", i+1)
		}
	}
}

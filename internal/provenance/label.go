package provenance

import "slices"

// mask is a set of labels, by their place in Index.labels.
type mask uint64

const (
	// unlabelled marks that something is there although it carries no label.
	unlabelled mask = 1 << 63
	// others stands for all labels beyond those that have a bit of their own.
	others = 62
)

func (x *Index) mask(labels []string) mask {
	m := mask(0)
	for _, l := range labels {
		i := slices.Index(x.labels, l)
		if i < 0 {
			i = len(x.labels)
			x.labels = append(x.labels, l)
		}
		m |= 1 << min(i, others)
	}
	return m
}

// names are the labels in m, sorted.
func (x *Index) names(m mask) []string {
	m &^= unlabelled
	if m == 0 {
		return nil
	}
	var out []string
	for i, l := range x.labels {
		if m&(1<<min(i, others)) != 0 {
			out = append(out, l)
		}
	}
	slices.Sort(out)
	return out
}

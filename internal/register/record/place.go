package record

import "aims/internal/strict"

// place is where a record was read.
type place struct {
	file string
	base string // path of the record in the file, such as risks[2]
	doc  *strict.Document
}

// line is where a field of the record stands; 0 when that is not known.
func (p place) line(field string) int {
	if p.doc == nil {
		return 0
	}
	return p.doc.Line(join(p.base, field))
}

func join(base, field string) string {
	if base == "" || field == "" {
		return base + field
	}
	return base + "." + field
}

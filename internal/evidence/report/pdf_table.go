package report

import "math"

// table writes a part's table. Its heading stands on each of its pages.
func (s *sheet) table(p part) {
	widths := s.widths(p.columns)
	s.tableHead(p.columns, widths)
	if len(p.rows) == 0 {
		s.nothing(p.none())
	}
	for i, r := range p.rows {
		if r.section != "" {
			with := lineHeight
			if i+1 < len(p.rows) {
				_, most := s.cellLines(widths, p.rows[i+1].cells)
				with = float64(min(most, 12))*lineHeight + gap
			}
			s.section(p, widths, r.section, with)
			continue
		}
		s.tableRow(p, widths, r.cells)
	}
}

// nothing is the line of a table without rows.
func (s *sheet) nothing(text string) {
	s.SetFont(face, "", normalSize)
	for _, l := range s.wrap(text, width-gap) {
		s.Text(margin+gap/2, s.GetY()+gap/2+lineHeight*0.76, l)
		s.SetY(s.GetY() + lineHeight)
	}
	s.SetY(s.GetY() + gap)
	s.rule(s.GetY(), 0.1)
}

// cellLines are the lines of each cell of a row, and how many the longest has.
func (s *sheet) cellLines(widths []float64, values []any) (lines [][]string, most int) {
	s.SetFont(face, "", normalSize)
	lines, most = make([][]string, len(values)), 1
	for i, v := range values {
		lines[i] = s.wrap(onPaperText(v), widths[i]-gap)
		most = max(most, len(lines[i]))
	}
	return lines, most
}

// widths divides the page by the columns' shares.
func (s *sheet) widths(columns []column) []float64 {
	sum := 0.0
	for _, c := range columns {
		sum += c.width
	}
	var out []float64
	for _, c := range columns {
		out = append(out, c.width/sum*width)
	}
	return out
}

func (s *sheet) tableHead(columns []column, widths []float64) {
	s.SetFont(face, "B", normalSize)
	lines, most := make([][]string, len(columns)), 1
	for i, c := range columns {
		lines[i] = s.wrap(c.name, widths[i]-gap)
		most = max(most, len(lines[i]))
	}
	height := float64(most)*lineHeight + gap
	s.SetFillColor(232, 234, 237)
	s.Rect(margin, s.GetY(), width, height, "F")
	s.lines(lines, widths, 0, most)
	s.SetY(s.GetY() + height)
	s.SetFont(face, "", normalSize)
}

// section is a heading within a table, which stays with the row after it: with
// is that row's height.
func (s *sheet) section(p part, widths []float64, text string, with float64) {
	const height = lineHeight + gap + 1
	if s.room(height + with) {
		s.tableHead(p.columns, widths)
	}
	s.SetFont(face, "B", normalSize+0.5)
	s.Text(margin+gap/2, s.GetY()+gap/2+lineHeight, s.fitting(text, width-gap))
	s.SetFont(face, "", normalSize)
	s.SetY(s.GetY() + height)
	s.rule(s.GetY(), 0.15)
}

// tableRow writes a row. One that fits a page stays on one; a longer one goes on
// over as many as it needs.
func (s *sheet) tableRow(p part, widths []float64, values []any) {
	lines, most := s.cellLines(widths, values)
	whole := int(math.Floor((bottom - margin - 20) / lineHeight)) // lines that a page has
	if most <= whole && s.room(float64(most)*lineHeight+gap) {
		s.tableHead(p.columns, widths)
	}
	for from := 0; from < most; {
		fits := int((bottom - s.GetY() - gap) / lineHeight)
		if fits < 1 {
			s.room(bottom)
			s.tableHead(p.columns, widths)
			continue
		}
		to := min(most, from+fits)
		s.lines(lines, widths, from, to)
		s.SetY(s.GetY() + float64(to-from)*lineHeight + gap)
		from = to
	}
	s.rule(s.GetY(), 0.1)
}

// lines writes some of the lines of each cell, beginning where the page stands.
func (s *sheet) lines(cells [][]string, widths []float64, from, to int) {
	x := margin + gap/2
	for i, lines := range cells {
		for n := from; n < min(to, len(lines)); n++ {
			s.Text(x, s.GetY()+gap/2+float64(n-from)*lineHeight+lineHeight*0.76, lines[n])
		}
		x += widths[i]
	}
}

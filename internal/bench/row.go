package bench

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Row is one line of the result.
type Row struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Ratio compares the value with its equivalent, which the name says, timed
	// in the same run; null where nothing is compared.
	Ratio *float64 `json:"ratio"`
	// Bound is what is promised of value or ratio, such as "ratio <= 2"; null
	// in a row that only informs.
	Bound *string `json:"bound"`
	// Holds says whether the bound is kept; null without a bound.
	Holds *bool `json:"holds"`
}

func (r Row) withRatio(ratio float64) Row {
	r.Ratio = &ratio
	return r
}

func (r Row) valueAtMost(limit float64) Row  { return r.bounded("value <= ", limit, r.Value <= limit) }
func (r Row) valueAtLeast(limit float64) Row { return r.bounded("value >= ", limit, r.Value >= limit) }
func (r Row) ratioAtMost(limit float64) Row  { return r.bounded("ratio <= ", limit, *r.Ratio <= limit) }
func (r Row) ratioAtLeast(limit float64) Row { return r.bounded("ratio >= ", limit, *r.Ratio >= limit) }

func (r Row) bounded(what string, limit float64, holds bool) Row {
	r.Bound = new(what + strconv.FormatFloat(limit, 'f', -1, 64))
	r.Holds = &holds
	return r
}

func allHold(rows []Row) bool {
	for _, r := range rows {
		if r.Holds != nil && !*r.Holds {
			return false
		}
	}
	return true
}

// writeTable prints the machine and the rows, numbers aligned to the right.
func writeTable(w io.Writer, host machine, rows []Row) error {
	const numbers = 2 // columns 1 and 3 hold numbers
	cells := [][]string{{"measure", "value", "unit", "ratio", "bound", "holds"}}
	for _, r := range rows {
		line := []string{r.Name, number(r.Value), r.Unit, "", "", ""}
		if r.Ratio != nil {
			line[3] = number(*r.Ratio)
		}
		if r.Bound != nil {
			line[4] = *r.Bound
			line[5] = map[bool]string{true: "yes", false: "NO"}[*r.Holds]
		}
		cells = append(cells, line)
	}
	width := make([]int, len(cells[0]))
	for _, line := range cells {
		for i, cell := range line {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s\n\n", host)
	for _, line := range cells {
		var text strings.Builder
		for i, cell := range line {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if i == 1 || i == 1+numbers {
				cell = pad + cell
			} else {
				cell += pad
			}
			text.WriteString(cell + "  ")
		}
		out.WriteString(strings.TrimRight(text.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// number prints three or four digits that mean something and none that do not.
func number(v float64) string {
	switch {
	case v == float64(int64(v)) && v < 1e6, v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case v >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	default:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
}

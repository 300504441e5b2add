package report

import (
	"baton/internal/markup"
)

// data writes the rows for the script, which the HTML does not have, as a JSON object:
//
//	tables  by id: {"r": rows}, a row being its cells; or {"p": columns, "r": rows} of a table
//	        of accounts, a row being the number of an account or [number, text, …]. A column is
//	        the place of a cell among those of the account, or -1 for the next text of the row.
//	people  the cells of each account that a row names
//	tags    [level, text]
//
// A cell is a text; the number of a tag, or several in a list; a head, a list of [name, sub,
// link, code, tags] without the empty ones at its end; or an object: "b" is a bar, "d" what
// changed.
type data struct {
	w      *markup.Writer
	people []accountColumn
	order  []int32       // of the members, as they were first named
	place  map[int32]int // in order
	tags   map[tag]int   // places in list
	list   []tag
}

// write writes the tables with more rows than the HTML has.
func (d *data) write(b *builder, tables []table) {
	d.people, d.place, d.tags = b.people(), map[int32]int{}, map[tag]int{}
	d.w.Literal(`<script type="application/json" id="data">{"tables":{`)
	for i, t := range tables {
		if i > 0 {
			d.w.Literal(",\n")
		}
		d.w.JSON(t.ID)
		d.w.Literal(":{")
		if t.People != nil {
			d.w.Literal(`"p":`)
			d.w.JSON(t.People.columns)
			d.w.Literal(`,"r":[`)
			d.peopleRows(t)
		} else {
			d.w.Literal(`"r":[`)
			d.rows(t)
		}
		d.w.Literal("]}")
	}
	d.w.Literal("},\n\"people\":[")
	for i, n := range d.order {
		if i > 0 {
			d.w.Literal(",\n")
		}
		m := &b.after.members[n]
		cells := make([]any, len(d.people))
		for j, c := range d.people {
			cells[j] = d.cell(c.cell(m))
		}
		d.w.JSON(cells)
	}
	d.w.Literal("],\n\"tags\":[")
	for i, t := range d.list {
		if i > 0 {
			d.w.Literal(",")
		}
		d.w.JSON([2]string{t.Level, t.Text})
	}
	d.w.Literal("]}</script>\n")
}

func (d *data) peopleRows(t table) {
	first := true
	for n, texts := range t.People.rows {
		if !first {
			d.w.Literal(",")
		}
		first = false
		place, ok := d.place[n]
		if !ok {
			place = len(d.order)
			d.order, d.place[n] = append(d.order, n), place
		}
		if len(texts) == 0 {
			d.w.JSON(place)
			continue
		}
		row := []any{place}
		for _, text := range texts {
			row = append(row, text)
		}
		d.w.JSON(row)
	}
}

func (d *data) rows(t table) {
	first := true
	for row := range t.Rows {
		if !first {
			d.w.Literal(",\n")
		}
		first = false
		cells := make([]any, len(row))
		for i, c := range row {
			cells[i] = d.cell(c)
		}
		d.w.JSON(cells)
	}
}

// cell returns the JSON form of a cell.
func (d *data) cell(c td) any {
	switch {
	case c.Head:
		return d.head(c)
	case len(c.Tags) == 1:
		return d.tagPlaces(c.Tags)[0]
	case len(c.Tags) > 1:
		return d.tagPlaces(c.Tags)
	case len(c.Bar) > 0:
		var parts [][5]string
		for _, s := range c.Bar {
			parts = append(parts, [5]string{s.Class, s.X, s.Width, s.Label, s.Count})
		}
		return map[string]any{"b": parts}
	case len(c.Diff) > 0:
		var list [][3]string
		for _, a := range c.Diff {
			list = append(list, [3]string{shown(a.name), orNothing(a.before), orNothing(a.after)})
		}
		return map[string]any{"d": list}
	}
	for _, text := range []string{c.Number, c.Date, c.Code, c.Text} {
		if text != "" {
			return text
		}
	}
	return ""
}

func (d *data) head(c td) []any {
	list := []any{c.Name, c.Sub, c.Link, c.Code}
	if len(c.Tags) > 0 {
		return append(list, d.tagPlaces(c.Tags))
	}
	for len(list) > 1 && list[len(list)-1] == "" {
		list = list[:len(list)-1]
	}
	return list
}

func (d *data) tagPlaces(tags []tag) []int {
	places := make([]int, len(tags))
	for i, t := range tags {
		place, ok := d.tags[t]
		if !ok {
			place = len(d.list)
			d.list, d.tags[t] = append(d.list, t), place
		}
		places[i] = place
	}
	return places
}

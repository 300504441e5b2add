package paging

import "iter"

// Ids returns the ids of the new rows of a page.
func (a *Page) Ids() iter.Seq[string] {
	return func(yield func(string) bool) {
		for n := range a.here.Len() {
			if !yield(string(a.here.Text(n))) {
				return
			}
		}
	}
}

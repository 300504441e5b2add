// Package extsort sorts byte strings that need not fit into memory. Strings, called
// keys, come out in the order of their bytes; what they mean is the caller's affair.
// None may be the beginning of another, other than its equal.
//
//	pool := extsort.NewPool(nil, dir, 16<<20)
//	s := pool.Sorter()
//	s.Add([]byte("b"))
//	s.Add([]byte("a"))
//	m, err := s.Merge()
//	key, shared, err := m.Next() // "a"
//
// # How
//
// What comes in order costs next to nothing. A sorter keeps a few piles, each of which
// takes the keys that are not less than its last one, so that input that is in order
// fills one, and input with little disorder in it a few. What fits on no pile is kept in
// memory, up to a limit that all sorters of a pool share; beyond it, the sorter that has
// most is sorted and written out as one run. In the end piles, runs and memory are
// merged.
//
// Piles and runs are the same thing: chunks in one scratch file, in which each key is
// written without what it shares with the one before. A chunk can be read by itself,
// which a [List] uses to begin anywhere. What need not be sorted goes there through a [Queue].
package extsort

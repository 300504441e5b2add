// Package extsort sorts byte strings that need not fit into memory. The strings, called keys, are
// returned in the order of their bytes. No key may be a prefix of a different key.
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
// Sorted input is cheap. A sorter has up to 12 open runs. A key that is not less than the last key
// of an open run is appended to it, so sorted input fills one run and nearly sorted input a few.
// All other keys are kept in memory, up to a limit that the sorters of a pool share. Beyond it,
// the sorter with the most keys sorts them and writes them out as a closed run. At the end, runs
// and memory are merged.
//
// A run consists of chunks in a scratch file, in which each key is stored without the prefix that
// it shares with the previous key. A chunk can be read by itself, so a [List] can be read from
// any key. A [Queue] stores keys that need not be sorted in the same file.
package extsort

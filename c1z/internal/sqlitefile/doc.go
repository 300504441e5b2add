// Package sqlitefile writes SQLite 3 databases page by page, without SQLite. Rows are added in
// the order of their rowids, index entries in any order or in that of the index. The package is
// for data that is written once, in bulk: it has nothing of what SQLite needs for tables that
// can change at any time (searching, splitting pages, a cache, a journal). A [Scan] reads the
// tables of such a database from the first row to the last.
//
//	w := sqlitefile.New(file, extsort.NewPool(nil, scratchDir, 16<<20))
//	people := w.Table("CREATE TABLE people (id integer primary key, name text)")
//	byName := w.Index("CREATE INDEX by_name on people (name)")
//	people.Append(1, sqlitefile.Value{}, sqlitefile.Text("Ada"))
//	byName.Add(1, sqlitefile.Text("Ada"))
//	size, err := w.Finish()
//
// # The file
//
//	page 1       file header; the schema, or the root of its b-tree
//	pages 2 to h the rest of the schema
//	then         pages of the tables, and of the indexes whose entries come in order, as they
//	             become full: leaves, overflow chains before the leaf that they belong to,
//	             interior pages after their children; the last page of a tree is its root
//	then         the other indexes, one after the other, in the same way
//
// Pages have 4096 bytes and are filled until the next cell does not fit. Text is UTF-8, the
// schema format is 4, the journal mode is rollback, and there is no free list. The page with the
// byte at 1 GiB, which SQLite uses for locks, stays empty.
//
// # The order of writing
//
// Page 1 contains the page numbers of the roots, which are known last. The package writes page 1
// last: the number of pages of the schema follows from the declarations, because the number of a
// root is always stored in four bytes. So the first pages are skipped, and every other page is
// written once, in order. This works for a file, and for a stream with space reserved for a few
// uncompressed pages at its beginning. The alternatives cost more: counting pages in a first pass
// merges all entries twice, and a scratch file is copied once. Of the 2.6 seconds of CPU for a
// million rows with seven sorted indexes (954 MB; see BenchmarkGrants), merging took 0.9; the
// scratch file would have added 1.2.
//
// # Sorting
//
// Entries become keys whose bytes compare as SQLite's BINARY collation compares entries, and
// package extsort sorts them. That costs little if rows come in an order close to that of the
// index, and nothing if the index is declared to be in order ([Index.InOrder]).
//
// # Not supported
//
// Reals in indexes, generated columns, tables without rowid, constraints that need an index of
// their own, descending columns and other collations, AUTOINCREMENT.
package sqlitefile

// Package sqlitefile writes SQLite 3 databases page by page, without SQLite: tables whose
// rows come in the order of their rowids, and indexes whose entries come in any order, or
// in their own.
// It is for data that is written once, in bulk. Whatever SQLite does to make a table
// that can be changed at any time (finding a place, splitting pages, a cache, a
// journal) is left out. A [Scan] reads tables of such a database again, from the first row
// to the last.
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
//	then         the pages of the tables, in the order in which they became full:
//	             leaves, overflow chains before the leaf that they belong to, and
//	             interior pages after their children; the last of each tree is its root.
//	             Between them, those of the indexes whose entries come in order
//	then         the other indexes, one after the other, in the same way
//
// Pages have 4096 bytes and are filled as far as cells go in, text is UTF-8, the schema
// format is 4, journals are rollback journals, and there is no free list. The page with
// the byte at 1 GiB, where SQLite puts its locks, stays empty.
//
// # The order of writing
//
// Page 1 says where the roots are, which is known last. There are three ways out:
// to count the pages in a first pass, which merges all entries twice; to collect the pages
// in a scratch file and copy them behind page 1; or to write page 1 last. Of the 2.6
// seconds of processor time that a million rows with seven indexes took when all of them were
// sorted (954 MB; see BenchmarkGrants), merging was 0.9, and the scratch file would have cost
// 1.2 more. The third way costs nothing: how many pages the schema takes is known from the declarations, since
// the numbers of its roots are stored in four bytes each, however small. So the
// first pages are left out and every other one is written once, in order. A file takes
// that as it comes, and a stream does if room for a few uncompressed pages is left at
// its beginning.
//
// # Sorting
//
// Entries become keys whose bytes compare as SQLite's BINARY collation compares entries,
// and package extsort puts them in order. Rows that come in an order close to that of an
// index cost little there, and nothing if the index is declared to come in order.
//
// # What is not here
//
// Reals in indexes, generated columns, tables without rowid, constraints that need an index of
// their own, descending columns and other collations, AUTOINCREMENT.
package sqlitefile

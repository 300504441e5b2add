package sqlitefile

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"baton/internal/extsort"
)

var errOver = errors.New("sqlitefile: the database is already finished or discarded")

// ErrDuplicate reports two entries with the same key in a unique index, or with the same key and
// rowid in any index. Finish and Add wrap it.
var ErrDuplicate = errors.New("duplicate key")

// OrderError reports an entry that is not in the order of its index, although the index was
// declared to be [Index.InOrder]. The database cannot be finished.
type OrderError struct{ Index string }

func (e *OrderError) Error() string {
	return fmt.Sprintf("sqlitefile: the entries of index %s are not in order", e.Index)
}

const (
	maxColumns = 2000          // of a table, by default
	maxRecord  = 1_000_000_000 // bytes of a row or an entry, by default
)

// Writer writes one database. It is not safe for concurrent use.
type Writer struct {
	pages   *pageWriter
	head    int // pages of the schema
	tables  []*Table
	indexes []*Index
	schema  []object
	pool    *extsort.Pool
	buf     []byte
	all     []int // 0, 1, 2, ...
	record  record
	entry   entry
	err     error // of a declaration or an entry, or errOver
}

// object is a row of the schema: a table or an index.
type object struct {
	statement
	kind string
	root *uint32
}

// New begins a database in out. Every byte is written once: the first write begins where the
// schema ends, each following one where the previous one ended, and the last one is the schema,
// at offset 0.
//
// Index entries are sorted in the pool. The Writer closes it; nobody else can use it from the
// first entry on.
func New(out io.WriterAt, pool *extsort.Pool) *Writer {
	return &Writer{pages: newPageWriter(out, 1), pool: pool}
}

// Table is a table of the database.
type Table struct {
	w     *Writer
	name  string
	tree  *tree
	root  uint32
	rows  int64
	rowid int64 // of the last row
}

// Index is an index of the database.
type Index struct {
	w       *Writer
	table   *Table
	name    string
	unique  bool
	partial bool
	root    uint32
	columns int // without the rowid; known from the first entry on
	sorter  *extsort.Sorter
	ordered *ordered // takes the entries that do not go to the sorter
	aside   aside
}

// aside holds the entries of an index in order that were added out of order.
type aside struct {
	sorted *extsort.Merger // nil before the first entry in order
	key    []byte          // the next one; nil after the last one
	before []byte          // the entry in order that follows, for reuse
}

// ordered builds an index from entries that come in order. The next entry is compared with the
// last one on its page, which does not change before the next entry is added.
type ordered struct {
	tree    *tree
	n       int64
	columns []storedColumn // of the last entry
	body    []byte         // contents of these columns, and the rowid
	rowid   int64
	long    []byte // the last entry that overflowed
}

// storedColumn describes a column of an entry on a page.
type storedColumn struct {
	kind   kind
	width  int
	number int64
}

// Table declares a table by its CREATE TABLE statement: with an unquoted name, with a rowid, and
// without constraints for which SQLite makes an index. All declarations come before the first
// row. An error of a declaration is returned by the first row, and by Finish.
func (w *Writer) Table(createSQL string) *Table {
	s, err := parseTable(createSQL)
	t := &Table{w: w, name: s.name, tree: newTree(w.pages, false)}
	w.declare(object{s, "table", &t.root}, err)
	w.tables = append(w.tables, t)
	return t
}

// Index declares an index by its CREATE INDEX statement: on a table that is already declared, with
// unquoted names, ascending columns and the BINARY collation.
func (w *Writer) Index(createSQL string) *Index {
	s, err := parseIndex(createSQL)
	ix := &Index{w: w, name: s.name, unique: s.unique, partial: s.partial, sorter: w.pool.Sorter()}
	for _, t := range w.tables {
		if strings.EqualFold(t.name, s.table) {
			ix.table = t
			s.table = t.name
		}
	}
	if err == nil && ix.table == nil {
		err = fmt.Errorf("sqlitefile: index %s is on a table %s that is not declared", s.name, s.table)
	}
	w.declare(object{s, "index", &ix.root}, err)
	w.indexes = append(w.indexes, ix)
	return ix
}

// InOrder declares, before the first row, that entries come in the order of the index. They are
// not sorted then, and the pages of the index are written between those of the tables. An entry
// that is not in order is an [OrderError].
func (ix *Index) InOrder() {
	ix.ordered = &ordered{tree: newTree(ix.w.pages, true)}
}

func (w *Writer) declare(o object, err error) {
	if err == nil && w.head > 0 {
		err = fmt.Errorf("sqlitefile: %s %s is declared after the first row", o.kind, o.name)
	}
	for _, other := range w.schema {
		if err == nil && strings.EqualFold(other.name, o.name) {
			err = fmt.Errorf("sqlitefile: %s %s is declared twice", o.kind, o.name)
		}
	}
	if w.err == nil {
		w.err = err
	}
	w.schema = append(w.schema, o)
}

// begin reserves the pages of the schema, before the first page is written.
func (w *Writer) begin() error {
	if w.err != nil || w.head > 0 {
		return w.err
	}
	head, err := w.writeSchema()
	if err != nil {
		return err
	}
	w.head = len(head) / pageSize
	w.pages.next = uint32(w.head) + 1
	w.pages.offset = int64(len(head))
	return nil
}

// Append adds a row after the last one, with the values of all columns. The value of a column
// that is an alias of the rowid is NULL. Values are not kept.
func (t *Table) Append(rowid int64, values ...Value) error {
	w := t.w
	if err := w.begin(); err != nil {
		return err
	}
	if t.rows > 0 && rowid <= t.rowid {
		return fmt.Errorf("sqlitefile: table %s: row %d comes after row %d", t.name, rowid, t.rowid)
	}
	if len(values) == 0 || len(values) > maxColumns {
		return fmt.Errorf("sqlitefile: table %s: row %d has %d columns", t.name, rowid, len(values))
	}
	all, r := w.every(len(values)), &w.record
	r.measure(values, all)
	size := r.size()
	if size > maxRecord {
		return fmt.Errorf("sqlitefile: table %s: row %d is larger than %d bytes", t.name, rowid, maxRecord)
	}
	if size > maxLocalTable {
		w.buf = r.append(w.buf[:0], values, all, 0)
		if err := t.tree.row(rowid, t.rowid, w.buf); err != nil {
			return err
		}
	} else {
		space, err := t.tree.rowSpace(rowid, t.rowid, size)
		if err != nil {
			return err
		}
		r.append(space, values, all, 0)
	}
	t.rowid = rowid
	t.rows++
	return nil
}

// every returns the numbers 0 to n-1.
func (w *Writer) every(n int) []int {
	for len(w.all) < n {
		w.all = append(w.all, len(w.all))
	}
	return w.all[:n]
}

// Add adds the entry of a row, with the values of the indexed columns. The value of a column that
// is an alias of the rowid is the rowid. Entries come in any order unless the index is
// [Index.InOrder]. A partial index gets entries only for rows that meet its condition. Values are
// not kept.
func (ix *Index) Add(rowid int64, values ...Value) error {
	return ix.AddRow(rowid, values, ix.w.every(len(values)))
}

// AddAside adds an entry to an index that is [Index.InOrder] and not unique, before the first
// entry in order. Such entries may come in any order: they are sorted, and merged with those
// that come in order. After the last entry in order, [Index.Drain] adds those that are left.
func (ix *Index) AddAside(rowid int64, row []Value, columns []int) error {
	o := ix.ordered
	if o == nil || ix.unique || ix.aside.sorted != nil {
		return fmt.Errorf("sqlitefile: index %s takes no entries out of order here", ix.name)
	}
	ix.ordered = nil
	err := ix.AddRow(rowid, row, columns)
	ix.ordered = o
	return err
}

// AddRow is Add with the values of these columns of a row.
func (ix *Index) AddRow(rowid int64, row []Value, columns []int) error {
	w := ix.w
	if err := w.begin(); err != nil {
		return err
	}
	if ix.columns == 0 {
		ix.columns = len(columns)
	}
	if len(columns) != ix.columns || len(columns) == 0 || len(columns) > maxColumns {
		return fmt.Errorf("sqlitefile: index %s: the entry of row %d has %d columns", ix.name, rowid, len(columns))
	}
	nulls := false
	for _, c := range columns {
		switch row[c].kind {
		case real:
			return fmt.Errorf("sqlitefile: index %s: the entry of row %d has a real", ix.name, rowid)
		case null:
			nulls = true
		}
	}
	w.record.measureEntry(row, columns, rowid)
	if w.record.size() > maxRecord {
		return fmt.Errorf("sqlitefile: index %s: the entry of row %d is larger than %d bytes", ix.name, rowid, maxRecord)
	}
	if ix.ordered == nil {
		w.buf = appendEntryKey(w.buf[:0], row, columns, rowid)
		w.err = ix.sorter.Add(w.buf)
		return w.err
	}
	if w.err = ix.follows(row, columns, rowid, nulls); w.err != nil {
		return w.err
	}
	if ix.sorter.Len() > 0 {
		ix.aside.before = appendEntryKey(ix.aside.before[:0], row, columns, rowid)
		if w.err = ix.mergeAside(ix.aside.before); w.err != nil {
			return w.err
		}
	}
	w.err = ix.ordered.add(w, row, columns, rowid)
	return w.err
}

// Drain adds the entries that were added aside and come after all others. No entry can be
// added to another index between the first one in order and Drain.
func (ix *Index) Drain() error {
	if ix.sorter.Len() == 0 {
		return nil
	}
	if err := ix.mergeAside(nil); err != nil {
		return err
	}
	ix.sorter.Release()
	return nil
}

// mergeAside adds the entries that were added aside and come before the key; all that are
// left if it is nil.
func (ix *Index) mergeAside(before []byte) (err error) {
	a, o := &ix.aside, ix.ordered
	if a.sorted == nil {
		if a.sorted, err = ix.sorter.Merge(); err != nil {
			return err
		}
		if err := a.next(ix); err != nil {
			return err
		}
	}
	for a.key != nil && (before == nil || bytes.Compare(a.key, before) < 0) {
		ix.w.entry.parse(a.key, ix.columns)
		ix.w.buf = ix.w.entry.appendRecord(ix.w.buf[:0])
		if err := o.tree.entry(ix.w.buf); err != nil {
			return err
		}
		o.n++
		if err := a.next(ix); err != nil {
			return err
		}
	}
	return nil
}

// next goes to the next entry.
func (a *aside) next(ix *Index) error {
	last := len(a.key)
	key, shared, err := a.sorted.Next()
	switch {
	case err == io.EOF:
		a.key = nil
		return nil
	case err != nil:
		return err
	case last > 0 && shared == len(key):
		return ix.duplicate(key)
	}
	a.key = append(a.key[:0], key...)
	return nil
}

// follows checks that an entry may come after the last one.
func (ix *Index) follows(row []Value, columns []int, rowid int64, nulls bool) error {
	o := ix.ordered
	if o.n == 0 {
		return nil
	}
	order := o.compare(row, columns)
	same := order == 0
	if same {
		order = cmp.Compare(rowid, o.rowid)
	}
	switch {
	case order < 0:
		return &OrderError{ix.name}
	case order == 0, same && ix.unique && !nulls:
		return ix.duplicate(appendEntryKey(nil, row, columns, rowid))
	}
	return nil
}

// compare compares these columns of a row with those of the last entry.
func (o *ordered) compare(row []Value, columns []int) int {
	body := o.body
	for i, c := range columns {
		v, last := &row[c], &o.columns[i]
		order := 0
		switch {
		case v.kind != last.kind:
			order = cmp.Compare(v.kind, last.kind)
		case v.kind == integer:
			order = cmp.Compare(v.n, last.number)
		case !bytes.Equal(v.b, body[:last.width]):
			order = bytes.Compare(v.b, body[:last.width])
		}
		if order != 0 {
			return order
		}
		body = body[last.width:]
	}
	return 0
}

// add adds an entry that record has measured.
func (o *ordered) add(w *Writer, row []Value, columns []int, rowid int64) error {
	r := &w.record
	size := r.size()
	var entry []byte
	if size > maxLocalIndex {
		o.long = r.append(o.long[:0], row, columns, rowid)
		if err := o.tree.entry(o.long); err != nil {
			return err
		}
		entry = o.long
	} else {
		space, err := o.tree.entrySpace(size)
		if err != nil {
			return err
		}
		entry = r.append(space, row, columns, rowid)
	}
	o.body = entry[len(entry)-r.body:]
	o.columns = o.columns[:0]
	for i, c := range columns {
		v := &row[c]
		width := len(v.b)
		if v.kind == integer {
			width = widths[r.serials[i]]
		}
		o.columns = append(o.columns, storedColumn{v.kind, width, v.n})
	}
	o.rowid = rowid
	o.n++
	return nil
}

// duplicate returns the error of a duplicate entry.
func (ix *Index) duplicate(key []byte) error {
	ix.w.entry.parse(key, ix.columns)
	return fmt.Errorf("sqlitefile: index %s: %w: %s", ix.name, ErrDuplicate, ix.w.entry.describe())
}

// Finish writes the remaining pages and returns the size of the database in bytes. It always
// closes the Writer.
func (w *Writer) Finish() (size int64, err error) {
	defer func() {
		if e := w.Close(); err == nil {
			err = e
		}
	}()
	if err := w.begin(); err != nil {
		return 0, err
	}
	for _, t := range w.tables {
		if t.root, err = w.writeRoot(t.tree); err != nil {
			return 0, err
		}
	}
	for _, ix := range w.indexes {
		if err := ix.write(); err != nil {
			return 0, err
		}
	}
	head, err := w.writeSchema()
	if err != nil {
		return 0, err
	}
	if _, err := w.pages.out.WriteAt(head, 0); err != nil {
		return 0, fmt.Errorf("sqlitefile: write the database: %w", err)
	}
	return w.pages.offset, nil
}

// Drop discards the database and releases the pool for another one.
func (w *Writer) Drop() {
	w.err = errOver
	for _, ix := range w.indexes {
		ix.sorter.Release()
	}
}

// Close discards the database unless it is finished. It can be called more than once.
func (w *Writer) Close() error {
	w.err = errOver
	return w.pool.Close()
}

// writeRoot finishes a tree and returns the page number of its root.
func (w *Writer) writeRoot(t *tree) (root uint32, err error) {
	p, err := t.finish()
	if err != nil {
		return 0, err
	}
	return w.pages.add(p.finish())
}

// write writes the rest of the index.
func (ix *Index) write() (err error) {
	w := ix.w
	if ix.ordered != nil {
		if err := ix.Drain(); err != nil {
			return err
		}
	}
	entries := int64(ix.sorter.Len())
	if ix.ordered != nil {
		entries = ix.ordered.n
	}
	if entries > ix.table.rows || entries < ix.table.rows && !ix.partial {
		return fmt.Errorf("sqlitefile: index %s has %d entries for the %d rows of %s", ix.name, entries, ix.table.rows, ix.table.name)
	}
	if ix.ordered != nil {
		ix.root, err = w.writeRoot(ix.ordered.tree)
		return err
	}
	m, err := ix.sorter.Merge()
	if err != nil {
		return err
	}
	t := newTree(w.pages, true)
	unique, nulls := math.MaxInt, false // of the last key: its length without the rowid, and whether a column is NULL
	for {
		key, shared, err := m.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		w.entry.parse(key, ix.columns)
		if shared >= unique && (ix.unique && !nulls || shared == len(key)) {
			return ix.duplicate(key)
		}
		unique, nulls = w.entry.unique, w.entry.nulls
		w.buf = w.entry.appendRecord(w.buf[:0])
		if err := t.entry(w.buf); err != nil {
			return err
		}
	}
	ix.sorter.Release()
	ix.root, err = w.writeRoot(t)
	return err
}

// version is the SQLite version number in the header.
const version = 3_045_000

// writeSchema returns the first pages: the header and the schema table.
func (w *Writer) writeSchema() ([]byte, error) {
	pages := newPageWriter(nil, 2)
	t := newTree(pages, false)
	var r record
	for i, o := range w.schema {
		name := o.table
		if name == "" {
			name = o.name
		}
		values := []Value{Text(o.kind), Text(o.name), Text(name), {kind: number, n: int64(*o.root)}, Text(o.sql)}
		all := w.every(len(values))
		r.measure(values, all)
		if err := t.row(int64(i+1), int64(i), r.append(nil, values, all, 0)); err != nil {
			return nil, err
		}
	}
	p, err := t.finish()
	if err != nil {
		return nil, err
	}
	first := make([]byte, pageSize)
	if !p.moveTo(first) {
		number, _ := pages.add(p.finish())
		p.reset(tableInterior)
		p.setRight(number)
		p.moveTo(first)
	}
	copy(first, "SQLite format 3\x00")
	be := binary.BigEndian
	be.PutUint16(first[16:], pageSize)
	first[18], first[19] = 1, 1                     // a rollback journal, for writing and reading
	first[21], first[22], first[23] = 64, 32, 32    // payload fractions
	be.PutUint32(first[24:], 1)                     // change counter
	be.PutUint32(first[28:], w.pages.next-1)        // pages
	be.PutUint32(first[40:], 1)                     // schema cookie
	be.PutUint32(first[44:], 4)                     // schema format
	be.PutUint32(first[56:], 1)                     // UTF-8
	be.PutUint32(first[92:], be.Uint32(first[24:])) // the change counter that belongs to the version
	be.PutUint32(first[96:], version)
	return append(first, pages.kept...), nil
}

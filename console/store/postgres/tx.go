package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"baton"
	"baton/console/store/internal/engine"
)

// tx uses the binary protocol without reflection. Values are 8-byte integers, booleans, text and
// bytes.
type tx struct {
	ctx          context.Context
	conn         *pgx.Conn
	callersClock bool
}

// Now implements [engine.Tx].
func (t *tx) Now(given time.Time) (now time.Time, err error) {
	if t.callersClock {
		return given, nil
	}
	err = t.Query(func(r engine.Row) error {
		now = engine.Time(r.Int(0))
		return nil
	}, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
	return now, err
}

// prepare returns a prepared statement. The connection keeps it under its own text.
func (t *tx) prepare(statement string) (*pgconn.StatementDescription, error) {
	d, err := t.conn.Prepare(t.ctx, statement, statement)
	if err != nil {
		return nil, classify(err, "prepare %s", firstLine(statement))
	}
	return d, nil
}

// Exec implements [engine.Tx].
func (t *tx) Exec(statement string, args ...any) (int64, error) {
	result, err := t.start(statement, args)
	if err != nil {
		return 0, err
	}
	tag, err := result.Close()
	return tag.RowsAffected(), classify(err, "%s", firstLine(statement))
}

// Query implements [engine.Tx].
func (t *tx) Query(fn func(engine.Row) error, statement string, args ...any) error {
	result, err := t.start(statement, args)
	if err != nil {
		return err
	}
	for result.NextRow() {
		if err := fn(row(result.Values())); err != nil {
			result.Close() // reads the rest; its error no longer matters
			return err
		}
	}
	_, err = result.Close()
	return classify(err, "%s", firstLine(statement))
}

func (t *tx) start(statement string, args []any) (*pgconn.ResultReader, error) {
	d, err := t.prepare(statement)
	if err != nil {
		return nil, err
	}
	if len(args) != len(d.ParamOIDs) {
		return nil, fmt.Errorf("store: %s: %d arguments for %d parameters", firstLine(statement), len(args), len(d.ParamOIDs))
	}
	values := make([][]byte, len(args))
	for i, a := range args {
		if values[i], err = encode(engine.Arg(a), d.ParamOIDs[i]); err != nil {
			return nil, fmt.Errorf("store: %s: argument %d: %w", firstLine(statement), i+1, err)
		}
	}
	return t.conn.PgConn().ExecPrepared(t.ctx, d.Name, values, binaryFormat, binaryFormat), nil
}

// binaryFormat asks for all values in binary.
var binaryFormat = []int16{pgtype.BinaryFormatCode}

// encode returns an argument in binary, for a parameter of a type.
func encode(v any, oid uint32) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case int64:
		switch oid {
		case pgtype.Int8OID:
			return binary.BigEndian.AppendUint64(nil, uint64(v)), nil
		case pgtype.Int4OID:
			if v != int64(int32(v)) {
				return nil, baton.Errorf(baton.Invalid, "%d is too large", v)
			}
			return binary.BigEndian.AppendUint32(nil, uint32(v)), nil
		}
	case bool:
		if oid == pgtype.BoolOID {
			return boolBytes(v), nil
		}
	case string:
		if oid == pgtype.TextOID {
			return []byte(v), checkText(v)
		}
	case []byte:
		if v == nil {
			return nil, nil
		}
		if oid == pgtype.ByteaOID {
			return v, nil
		}
	}
	return nil, fmt.Errorf("%T for a parameter of type %d", v, oid)
}

// checkText returns an error for text that a text column cannot hold.
func checkText(s string) error {
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		return baton.Errorf(baton.Invalid, "%q is no plain text", s)
	}
	return nil
}

func boolBytes(v bool) []byte {
	if v {
		return []byte{1}
	}
	return []byte{0}
}

// row is a result in binary. Integers have 2, 4 or 8 bytes.
type row [][]byte

func (r row) Null(c int) bool   { return r[c] == nil }
func (r row) Bool(c int) bool   { return len(r[c]) > 0 && r[c][len(r[c])-1] != 0 }
func (r row) Text(c int) string { return string(r[c]) }

func (r row) Bytes(c int) []byte {
	if r[c] == nil {
		return nil
	}
	return append(make([]byte, 0, len(r[c])), r[c]...)
}

func (r row) Int(c int) int64 {
	switch v := r[c]; len(v) {
	case 8:
		return int64(binary.BigEndian.Uint64(v))
	case 4:
		return int64(int32(binary.BigEndian.Uint32(v)))
	case 2:
		return int64(int16(binary.BigEndian.Uint16(v)))
	}
	return 0
}

// batchRows is the number of argument rows that are sent before results are read.
const batchRows = 512

// Each implements [engine.Tx].
func (t *tx) Each(statement string, rows func(engine.Writer) error) error {
	d, err := t.prepare(statement)
	if err != nil {
		return err
	}
	w := &batchWriter{t: t, d: d}
	if err := rows(w); err != nil {
		return err
	}
	return w.flush()
}

// batchWriter sends rows of arguments for one statement in batches.
type batchWriter struct {
	t     *tx
	d     *pgconn.StatementDescription
	batch *pgconn.Batch
	rows  int
	row   [][]byte
	err   error
}

func (w *batchWriter) add(v any) {
	if len(w.row) == len(w.d.ParamOIDs) {
		w.err = fmt.Errorf("store: %s: a row has more than %d arguments", firstLine(w.d.SQL), len(w.d.ParamOIDs))
		return
	}
	b, err := encode(v, w.d.ParamOIDs[len(w.row)])
	if err != nil && w.err == nil {
		w.err = fmt.Errorf("store: %s: argument %d: %w", firstLine(w.d.SQL), len(w.row)+1, err)
	}
	w.row = append(w.row, b)
}

func (w *batchWriter) Int(v int64)   { w.add(v) }
func (w *batchWriter) Bool(v bool)   { w.add(v) }
func (w *batchWriter) Text(v string) { w.add(v) }
func (w *batchWriter) Null()         { w.add(nil) }

func (w *batchWriter) Bytes(v []byte) {
	if v == nil {
		v = []byte{}
	}
	w.add(v)
}

func (w *batchWriter) End() error {
	if w.err != nil {
		return w.err
	}
	if w.batch == nil {
		w.batch = &pgconn.Batch{}
	}
	w.batch.ExecPrepared(w.d.Name, w.row, binaryFormat, binaryFormat)
	w.rows++
	w.row = w.row[:0]
	if w.rows == batchRows {
		return w.flush()
	}
	return nil
}

func (w *batchWriter) flush() error {
	if w.rows == 0 {
		return w.err
	}
	err := w.t.conn.PgConn().ExecBatch(w.t.ctx, w.batch).Close()
	w.batch, w.rows = nil, 0
	return classify(err, "%s", firstLine(w.d.SQL))
}

// copyHeader begins data for COPY in binary: a signature, no flags, no extension.
const copyHeader = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"

// Copy implements [engine.Tx].
func (t *tx) Copy(table string, columns []string, rows func(engine.Writer) error) error {
	w := &copyWriter{columns: len(columns)}
	w.buf.WriteString(copyHeader)
	if err := rows(w); err != nil {
		return err
	}
	if w.rows == 0 {
		return w.err
	}
	w.buf.Write([]byte{0xff, 0xff}) // the end
	_, err := t.conn.PgConn().CopyFrom(t.ctx, &w.buf, "COPY "+table+" ("+strings.Join(columns, ", ")+") FROM STDIN BINARY")
	return classify(err, "copy into %s", table)
}

// copyWriter encodes rows for COPY.
type copyWriter struct {
	buf     bytes.Buffer
	columns int
	rows    int
	n       int // values of the current row
	err     error
}

func (w *copyWriter) value(b []byte) {
	if w.n == 0 {
		w.buf.Write(binary.BigEndian.AppendUint16(w.buf.AvailableBuffer(), uint16(w.columns)))
	}
	w.n++
	w.buf.Write(binary.BigEndian.AppendUint32(w.buf.AvailableBuffer(), uint32(len(b))))
	w.buf.Write(b)
}

func (w *copyWriter) Int(v int64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(v))
	w.value(b[:])
}

func (w *copyWriter) Bool(v bool)    { w.value(boolBytes(v)) }
func (w *copyWriter) Bytes(v []byte) { w.value(v) }

func (w *copyWriter) Text(v string) {
	if err := checkText(v); err != nil && w.err == nil {
		w.err = err
	}
	w.value([]byte(v))
}

func (w *copyWriter) Null() {
	if w.n == 0 {
		w.buf.Write(binary.BigEndian.AppendUint16(w.buf.AvailableBuffer(), uint16(w.columns)))
	}
	w.n++
	w.buf.Write([]byte{0xff, 0xff, 0xff, 0xff})
}

func (w *copyWriter) End() error {
	if w.err == nil && w.n != w.columns {
		w.err = fmt.Errorf("store: a row has %d values for %d columns", w.n, w.columns)
	}
	w.rows++
	w.n = 0
	return w.err
}

// script runs statements that return nothing of interest.
func script(t engine.Tx, text string) error {
	own := t.(*tx)
	return classify(own.conn.PgConn().Exec(own.ctx, text).Close(), "%s", firstLine(text))
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

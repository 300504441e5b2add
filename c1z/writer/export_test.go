package writer

import "testing"

// Scans reports whether the tables of the file previous are read as they lie.
func (w *Writer) Scans() bool { return len(w.previous.roots) > 0 }

// Closed reports whether the file was closed.
func (p *Previous) Closed() bool { return p.db.Conn == nil }

// SetPartitionSize has grants sorted in partitions of another size.
func SetPartitionSize(t *testing.T, size int) {
	previous := partitionSize
	partitionSize = size
	t.Cleanup(func() { partitionSize = previous })
}

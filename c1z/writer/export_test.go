package writer

import "testing"

// Scans reports whether the tables of the previous file are scanned without the library.
func (w *Writer) Scans() bool { return len(w.previous.roots) > 0 }

// Closed reports whether the file was closed.
func (p *Previous) Closed() bool { return p.db.Conn == nil }

// SetPartitionSize changes the size of partitions of grants.
func SetPartitionSize(t *testing.T, size int) {
	previous := partitionSize
	partitionSize = size
	t.Cleanup(func() { partitionSize = previous })
}

package sqlitefile

// LockPage is the page that nothing may be on.
const LockPage = lockPage

// SkipTo leaves pages out, so that a test need not write the gigabyte before the page
// that it is about.
func (w *Writer) SkipTo(page uint32) error {
	if err := w.begin(); err != nil {
		return err
	}
	w.pages.next = page
	w.pages.offset = int64(page-1) * pageSize
	return nil
}

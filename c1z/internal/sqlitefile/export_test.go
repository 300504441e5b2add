package sqlitefile

// LockPage is the page that must stay empty.
const LockPage = lockPage

// SkipTo skips pages, so that a test need not write the gigabyte before the lock page.
func (w *Writer) SkipTo(page uint32) error {
	if err := w.begin(); err != nil {
		return err
	}
	w.pages.next = page
	w.pages.offset = int64(page-1) * pageSize
	return nil
}

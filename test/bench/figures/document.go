package figures

import (
	"fmt"
	"os"
	"strings"
)

// Fill replaces the sections between the marks of a document by the tables.
func (r *Record) Fill(document string) (string, error) {
	for name, table := range r.Tables() {
		begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
		i, j := strings.Index(document, begin), strings.Index(document, end)
		if i < 0 || j < i {
			return "", fmt.Errorf("figures: the document has no section %s", name)
		}
		document = document[:i+len(begin)] + table + document[j:]
	}
	return document, nil
}

// Publish writes the tables into the document and the plot beside it.
func (r *Record) Publish(document, plot string) error {
	b, err := os.ReadFile(document)
	if err != nil {
		return fmt.Errorf("figures: %w", err)
	}
	text, err := r.Fill(string(b))
	if err != nil {
		return err
	}
	for path, content := range map[string]string{document: text, plot: r.Plot()} {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return fmt.Errorf("figures: %w", err)
		}
	}
	return nil
}

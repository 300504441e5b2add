// Package markup writes HTML and escapes all text that is not a constant of the program. The result
// is well-formed XML if the constants are, so tests can parse it strictly. The package replaces
// html/template, which calls methods by name: with it, the linker keeps every method of every
// type, about 3 MB per binary.
package markup

import (
	"bufio"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"strings"
)

// Writer writes elements one after the other. Flush returns the first error.
type Writer struct {
	out  *bufio.Writer
	open []string
	err  error // of the caller: a defect
}

// New writes to w.
func New(w io.Writer) *Writer { return &Writer{out: bufio.NewWriterSize(w, 1<<16)} }

// constant is a type to which only untyped constants convert implicitly.
type constant string

// Literal writes a constant without escaping.
func (w *Writer) Literal(markup constant) { w.out.WriteString(string(markup)) }

// Embedded writes a file that was embedded into the program, a style or a script, without escaping.
func (w *Writer) Embedded(file string) { w.out.WriteString(file) }

// JSON writes v as JSON, for a script element of type application/json. Angle brackets and
// ampersands are escaped, so nothing in it can end the element.
func (w *Writer) JSON(v any) {
	text, err := json.Marshal(v)
	if err != nil {
		w.wrong("JSON: %v", err)
		return
	}
	w.out.Write(text)
}

// Text writes text.
func (w *Writer) Text(text string) {
	if strings.ContainsAny(text, "<>&'\"\x00") {
		text = strings.ReplaceAll(html.EscapeString(text), "\x00", "\uFFFD")
	}
	w.out.WriteString(text)
}

// Attribute is an attribute of an element. An Attribute without a name is not written.
type Attribute struct {
	name  constant
	value string
}

// Attr returns an attribute with a value.
func Attr(name constant, value string) Attribute { return Attribute{name: name, value: value} }

// Flag returns an attribute without a value, if on is set.
func Flag(name constant, on bool) Attribute {
	if !on {
		return Attribute{}
	}
	return Attribute{name: name}
}

// Class returns a class attribute, unless the name is empty.
func Class(name string) Attribute {
	if name == "" {
		return Attribute{}
	}
	return Attr("class", name)
}

// Start begins an element.
func (w *Writer) Start(tag constant, attributes ...Attribute) {
	w.tag(tag, attributes, ">")
	w.open = append(w.open, string(tag))
}

// Void writes an element without content and end tag.
func (w *Writer) Void(tag constant, attributes ...Attribute) { w.tag(tag, attributes, "/>") }

// End ends the element that was started last.
func (w *Writer) End() {
	if len(w.open) == 0 {
		w.wrong("End without an open element")
		return
	}
	last := len(w.open) - 1
	w.out.WriteString("</" + w.open[last] + ">")
	w.open = w.open[:last]
}

// Element writes an element with text in it.
func (w *Writer) Element(tag constant, text string, attributes ...Attribute) {
	w.Start(tag, attributes...)
	w.Text(text)
	w.End()
}

func (w *Writer) tag(tag constant, attributes []Attribute, end string) {
	w.out.WriteString("<" + string(tag))
	for _, a := range attributes {
		if a.name == "" {
			continue
		}
		w.out.WriteString(" " + string(a.name) + `="`)
		w.Text(w.checked(a))
		w.out.WriteString(`"`)
	}
	w.out.WriteString(end)
}

// checked returns the value of the attribute. Addresses must lead to the same page or site, and
// attributes that contain code or styles take no text.
func (w *Writer) checked(a Attribute) string {
	switch name := string(a.name); {
	case name == "href" || name == "src" || name == "action":
		if !strings.HasPrefix(a.value, "#") && (!strings.HasPrefix(a.value, "/") || strings.HasPrefix(a.value, "//") || strings.Contains(a.value, `\`)) {
			w.wrong("%s=%q leads to another site", name, a.value)
			return "#"
		}
	case name == "style" || name == "srcdoc" || strings.HasPrefix(name, "on"):
		w.wrong("attribute %s takes no text", name)
		return ""
	}
	return a.value
}

func (w *Writer) wrong(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("markup: "+format, args...)
	}
}

// Flush writes the buffer, and returns the first error. All elements must be ended.
func (w *Writer) Flush() error {
	if len(w.open) > 0 {
		w.wrong("%s was not ended", w.open[len(w.open)-1])
	}
	if err := w.out.Flush(); err != nil {
		return err
	}
	return w.err
}

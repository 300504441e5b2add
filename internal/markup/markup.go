// Package markup writes HTML in which no text can become markup: what is not a
// constant of the program is escaped, whatever it is. It is well-formed as XML, too, if
// the constants are, so that a test can parse it strictly. The package stands in for html/template,
// which finds methods by names that only a template knows, so that the linker has to
// keep every method of every type: some 3 MB of each binary.
package markup

import (
	"bufio"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"strings"
)

// Writer writes elements one after the other. An error of what is below it comes back
// from Flush.
type Writer struct {
	out  *bufio.Writer
	open []string
	err  error // of how it is used: a defect
}

// New writes to w.
func New(w io.Writer) *Writer { return &Writer{out: bufio.NewWriterSize(w, 1<<16)} }

// constant is a string that only a constant of the program converts to by itself.
type constant string

// Literal writes a constant as it is.
func (w *Writer) Literal(markup constant) { w.out.WriteString(string(markup)) }

// Embedded writes a file of the program, as go:embed has it: a style or a script. It is
// the one way past the escaping.
func (w *Writer) Embedded(file string) { w.out.WriteString(file) }

// JSON writes v as JSON, for a script element of type application/json. The brackets and
// ampersands in it are escaped, so that nothing in it ends the element.
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

// Attribute is one attribute of an element. One without a name is none.
type Attribute struct {
	name  constant
	value string
}

// Attr is an attribute with a value.
func Attr(name constant, value string) Attribute { return Attribute{name: name, value: value} }

// Flag is an attribute without a value, that is there or not.
func Flag(name constant, on bool) Attribute {
	if !on {
		return Attribute{}
	}
	return Attribute{name: name}
}

// Class is the class attribute, unless the class is empty.
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

// Void writes an element that has no content and no end.
func (w *Writer) Void(tag constant, attributes ...Attribute) { w.tag(tag, attributes, "/>") }

// End ends the element that was begun last.
func (w *Writer) End() {
	if len(w.open) == 0 {
		w.wrong("an element is ended that was not begun")
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

// checked is the attribute's value. Where it would be run or fetched, text has no
// place: addresses lead within the page or the site.
func (w *Writer) checked(a Attribute) string {
	switch name := string(a.name); {
	case name == "href" || name == "src" || name == "action":
		if !strings.HasPrefix(a.value, "#") && (!strings.HasPrefix(a.value, "/") || strings.HasPrefix(a.value, "//") || strings.Contains(a.value, `\`)) {
			w.wrong("%s=%q leads away", name, a.value)
			return "#"
		}
	case name == "style" || name == "srcdoc" || strings.HasPrefix(name, "on"):
		w.wrong("%s takes no text", name)
		return ""
	}
	return a.value
}

func (w *Writer) wrong(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("markup: "+format, args...)
	}
}

// Flush writes what is left. Every element must have been ended.
func (w *Writer) Flush() error {
	if len(w.open) > 0 {
		w.wrong("%s was not ended", w.open[len(w.open)-1])
	}
	if err := w.out.Flush(); err != nil {
		return err
	}
	return w.err
}

package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"baton"
	"baton/console"
	"baton/console/govern"
)

// The limits of configuration files.
const (
	maxFile     = 4 << 20 // bytes of one file
	maxAll      = 16 << 20
	maxFiles    = 1000
	maxDepth    = 32
	maxNodes    = 500_000
	maxProblems = 20
	maxSecret   = 64 << 10 // bytes of a file with a secret
	maxFileName = 255
)

// Reader reads configuration files.
type Reader struct {
	MinInterval time.Duration    // the shortest allowed interval between syncs
	Products    []govern.Product // the connectors in the catalogue
	// Secret returns the content of a file that the configuration names, such as a password_file.
	Secret func(name string) (baton.Secret, error)
}

// place is where a file describes an object.
type place struct {
	file string
	line int
	keys []string // given for the object
}

func (p place) String() string { return p.file + ": line " + strconv.Itoa(p.line) }

// Read reads and checks a file, or the files of a folder. minInterval is the shortest allowed
// interval between syncs; products are the connectors in the catalogue. The error lists all problems.
func Read(path string, minInterval time.Duration, products []govern.Product) (*File, error) {
	files, folder, err := Load(path)
	if err != nil {
		return nil, err
	}
	return Reader{MinInterval: minInterval, Products: products, Secret: SecretFiles(folder)}.Read(files)
}

// Load returns the text of a file, or of the files of a folder that end in .yaml or .yml, in the order
// of their names. folder is the one that other file names are relative to.
func Load(path string) (files []console.ConfigurationFile, folder string, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, "", baton.Errorf(baton.NotFound, "%s does not exist", path).WithFix("Check the path; a relative one begins in the folder in which the command runs.")
	}
	if err != nil {
		return nil, "", baton.Errorf(baton.Storage, "read %s: %w", path, err)
	}
	if info.IsDir() {
		files, err = loadFolder(path)
		return files, path, err
	}
	in, err := os.Open(path)
	if err != nil {
		return nil, "", baton.Errorf(baton.Storage, "read %s: %w", path, err)
	}
	defer in.Close()
	text, err := readText(in, path, maxFile)
	return []console.ConfigurationFile{{Name: path, Text: string(text)}}, filepath.Dir(path), err
}

// loadFolder returns the text of the files of a folder that end in .yaml or .yml. Links may lead to other
// files of the folder, and not out of it.
func loadFolder(path string) (files []console.ConfigurationFile, err error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, baton.Errorf(baton.Storage, "read %s: %w", path, err)
	}
	defer root.Close()
	entries, err := os.ReadDir(path) // sorted by name
	if err != nil {
		return nil, baton.Errorf(baton.Storage, "read %s: %w", path, err)
	}
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); ext != ".yaml" && ext != ".yml" || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if len(files) == maxFiles {
			return nil, baton.Errorf(baton.Invalid, "%s holds more than %d files", path, maxFiles).WithFix("Put more into each file.")
		}
		text, err := loadFile(root, e.Name())
		if err != nil {
			return nil, err
		}
		files = append(files, console.ConfigurationFile{Name: e.Name(), Text: string(text)})
	}
	if len(files) == 0 {
		return nil, baton.Errorf(baton.NotFound, "%s holds no file that ends in .yaml or .yml", path).WithFix("Name another folder.")
	}
	return files, nil
}

func loadFile(root *os.Root, name string) ([]byte, error) {
	if err := checkFileName(name); err != nil {
		return nil, err
	}
	info, err := root.Stat(name)
	switch {
	case err != nil:
		return nil, baton.Errorf(baton.Invalid, "%s is a link that leads out of the folder, or to nothing", name).WithFix("Put the file itself into the folder.")
	case !info.Mode().IsRegular():
		return nil, baton.Errorf(baton.Invalid, "%s is no file", name).WithFix("Give it a name that does not end in .yaml or .yml.")
	}
	in, err := root.Open(name)
	if err != nil {
		return nil, baton.Errorf(baton.Storage, "read %s: %w", name, err)
	}
	defer in.Close()
	return readText(in, name, maxFile)
}

// checkFileName refuses names that cannot stand in a message.
func checkFileName(name string) error {
	if name == "" || len(name) > maxFileName || !utf8.ValidString(name) || strings.ContainsFunc(name, control) {
		return baton.Errorf(baton.Invalid, "%.200q cannot name a configuration file", name).WithFix("Use a name of 1 to %d bytes of UTF-8 without control characters.", maxFileName)
	}
	return nil
}

// readText reads at most limit bytes.
func readText(in io.Reader, path string, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err != nil {
		return nil, baton.Errorf(baton.Storage, "read %s: %w", path, err)
	}
	if int64(len(text)) > limit {
		return nil, baton.Errorf(baton.Invalid, "%s is larger than %d bytes", path, limit).WithFix("Split it into several files of a folder.")
	}
	return text, nil
}

// SecretFiles returns a function for [Reader.Secret] that reads files. Their names are relative to a
// folder.
func SecretFiles(folder string) func(string) (baton.Secret, error) {
	return func(name string) (baton.Secret, error) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(folder, name)
		}
		info, err := os.Stat(name)
		if err == nil && (!info.Mode().IsRegular() || info.Size() > maxSecret) {
			err = errors.New("it is no file, or too large for a secret")
		}
		var text []byte
		if err == nil {
			text, err = os.ReadFile(name)
		}
		return baton.NewSecret(strings.TrimRight(string(text), "\r\n")), err
	}
}

// Read merges and checks files. The error lists problems by file and line.
func (r Reader) Read(files []console.ConfigurationFile) (*File, error) {
	f := &File{reader: r, places: map[string][]place{}}
	if len(files) > maxFiles {
		return nil, baton.Errorf(baton.Invalid, "there are %d files: at most %d are read", len(files), maxFiles).WithFix("Put more into each file.")
	}
	size := 0
	for _, text := range files {
		if err := checkFileName(text.Name); err != nil {
			return nil, err
		}
		if size += len(text.Text); len(text.Text) > maxFile || size > maxAll {
			return nil, baton.Errorf(baton.Invalid, "%s is larger than %d bytes, or all files together than %d", text.Name, maxFile, maxAll).WithFix("Describe less.")
		}
		if err := f.add(text.Name, []byte(text.Text)); err != nil {
			return nil, err
		}
	}
	var bad problems
	f.check(&bad)
	return f, bad.err()
}

// problems collects what is wrong with files.
type problems struct {
	texts []string
	more  int
}

func (b *problems) add(at place, format string, args ...any) {
	if len(b.texts) == maxProblems {
		b.more++
		return
	}
	b.texts = append(b.texts, at.String()+": "+fmt.Sprintf(format, args...))
}

func (b *problems) err() error {
	if len(b.texts) == 0 {
		return nil
	}
	if b.more > 0 {
		b.texts = append(b.texts, fmt.Sprintf("and %d more", b.more))
	}
	return baton.Errorf(baton.Invalid, "%s", strings.Join(b.texts, "; ")).WithFix("Correct the file and try again.")
}

// keysFix says what files may hold.
const keysFix = "The keys are people, apps, connectors, policies, requirements, incompatible, automations, oidc, mail and retention; docs/configuration-as-code.md lists what each may hold."

// add reads one file into f.
func (f *File) add(name string, text []byte) error {
	invalid := func(line int, format string, args ...any) error {
		return baton.Errorf(baton.Invalid, "%s: %s", place{file: name, line: line}, fmt.Sprintf(format, args...)).WithFix(keysFix)
	}
	if line, what := badText(text); line > 0 {
		return invalid(line, "%s", what)
	}
	var document yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return baton.Errorf(baton.Invalid, "%s: %s", name, plain(err)).WithFix(keysFix)
	}
	if line, what := badNode(&document); line > 0 {
		return invalid(line, "%s", what)
	}
	var second yaml.Node
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return invalid(max(second.Line, 1), "the file holds more than one document")
	}
	part := &File{}
	decoder = yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(part); err != nil && !errors.Is(err, io.EOF) {
		return baton.Errorf(baton.Invalid, "%s: %s", name, plain(err)).WithFix(keysFix)
	}
	return f.merge(part, name, document.Content[0])
}

// badText returns the first line with bytes that configuration files do not have, and what is wrong
// with it; 0 for none.
func badText(text []byte) (line int, what string) {
	line = 1
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && n == 1:
			return line, "the text is not UTF-8"
		case r == '\n':
			line++
		case control(r) && r != '\t' && r != '\r':
			return line, fmt.Sprintf("there is a control character (%U)", r)
		}
		text = text[n:]
	}
	return 0, ""
}

func control(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }

// badNode returns the line of the first node that configuration files do not have, and what is wrong
// with it; 0 for none.
func badNode(document *yaml.Node) (line int, what string) {
	nodes := 0
	var walk func(n *yaml.Node, depth int)
	walk = func(n *yaml.Node, depth int) {
		nodes++
		switch {
		case line > 0:
			return
		case n.Kind == yaml.AliasNode || n.Anchor != "":
			line, what = n.Line, "anchors and aliases are not used here: write it out"
		case n.Style&yaml.TaggedStyle != 0 || n.Tag == "!!merge":
			line, what = n.Line, fmt.Sprintf("the tag %.40q is not used here", n.Tag)
		case n.Kind == yaml.ScalarNode && strings.ContainsFunc(n.Value, func(r rune) bool { return control(r) && r != '\n' && r != '\t' }):
			line, what = n.Line, "the value has a control character"
		case depth > maxDepth:
			line, what = n.Line, fmt.Sprintf("it is nested more than %d levels deep", maxDepth)
		case nodes > maxNodes:
			line, what = n.Line, fmt.Sprintf("the file holds more than %d values", maxNodes)
		}
		for _, c := range n.Content {
			walk(c, depth+1)
		}
	}
	walk(document, 0)
	return line, what
}

var (
	goType = regexp.MustCompile(` not found in type \S+`)
	into   = regexp.MustCompile(` into \S+`)
)

// plain returns the text of a YAML error without names of Go types.
func plain(err error) string {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	text = strings.TrimPrefix(text, "unmarshal errors:\n")
	text = goType.ReplaceAllString(text, " is not known")
	text = into.ReplaceAllString(text, " does not fit")
	text = strings.Join(strings.Fields(text), " ")
	if !strings.HasPrefix(text, "line ") {
		text = "line 1: " + text // of the document as a whole
	}
	if len(text) > 1000 {
		text = strings.ToValidUTF8(text[:1000], "") + " …"
	}
	return text
}

// merge adds the objects of one file.
func (f *File) merge(part *File, name string, root *yaml.Node) error {
	from, to := reflect.ValueOf(part).Elem(), reflect.ValueOf(f).Elem()
	if root.Kind != yaml.MappingNode {
		return nil // an empty file
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i].Value, root.Content[i+1]
		field, ok := fieldByKey(from.Type(), key)
		if !ok {
			continue // refused before
		}
		if field.Type.Kind() != reflect.Slice {
			at := place{file: name, line: root.Content[i].Line, keys: keysOf(value)}
			if had := f.places[key]; len(had) > 0 && !from.FieldByIndex(field.Index).IsNil() {
				return baton.Errorf(baton.Invalid, "%s: %s is there twice, before in %s", at, key, had[0]).WithFix("Leave one of them.")
			}
			if !from.FieldByIndex(field.Index).IsNil() {
				to.FieldByIndex(field.Index).Set(from.FieldByIndex(field.Index))
				f.places[key] = []place{at}
			}
			continue
		}
		all := to.FieldByIndex(field.Index)
		all.Set(reflect.AppendSlice(all, from.FieldByIndex(field.Index)))
		for _, item := range value.Content {
			f.places[key] = append(f.places[key], place{file: name, line: item.Line, keys: keysOf(item)})
		}
	}
	return nil
}

// fieldByKey returns the field of a type that a key of a file sets.
func fieldByKey(of reflect.Type, key string) (reflect.StructField, bool) {
	for i := range of.NumField() {
		if tag, _, _ := strings.Cut(of.Field(i).Tag.Get("yaml"), ","); tag == key {
			return of.Field(i), true
		}
	}
	return reflect.StructField{}, false
}

// keysOf returns the keys of a mapping, with those of mappings within it as "outer.inner".
func keysOf(n *yaml.Node) (keys []string) {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i].Value, n.Content[i+1]
		if value.Tag == "!!null" {
			continue
		}
		keys = append(keys, key)
		for _, inner := range keysOf(value) {
			keys = append(keys, key+"."+inner)
		}
	}
	return slices.Clip(keys)
}

// at returns where an object is described: the i-th of a key.
func (f *File) at(key string, i int) place {
	if all := f.places[key]; i < len(all) {
		return all[i]
	}
	return place{}
}

// secret returns the content of a file with a secret, of the key of an object.
func (f *File) secret(at place, key, name string) (baton.Secret, error) {
	if f.reader.Secret == nil {
		return baton.Secret{}, baton.Errorf(baton.Invalid, "%s: %s names a file, and files cannot be read here", at, key).WithFix("Enter the secret on the page, or apply the files with baton-console apply.")
	}
	s, err := f.reader.Secret(name)
	if err == nil && s.IsZero() {
		err = errors.New("it is empty")
	}
	if err != nil {
		return s, baton.Errorf(baton.Invalid, "%s: %s: %w", at, key, err).WithFix("Name a file that holds the secret on one line.")
	}
	return s, nil
}

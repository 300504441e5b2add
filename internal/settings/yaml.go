package settings

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"baton"
	"baton/internal/english"

	"go.yaml.in/yaml/v3"
)

// maxConfigFile limits the size of a configuration file, in bytes.
const maxConfigFile = 1 << 20

// File reads a file of settings: one mapping from option names to scalars or sequences of scalars. It returns
// an error if the file cannot be read, and adds problems in it to bad.
func File(path string, all []Option, bad *Problems) (map[string]Given, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return parseYAML(path, text, all, bad), nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfigFile+1))
	if err == nil && len(text) > maxConfigFile {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxConfigFile)
	}
	return text, err
}

// parseYAML parses a configuration file: one mapping from option names to scalars or sequences of scalars. A
// scalar is taken as written, so that an id of digits stays text. Everything else is a problem that names
// line and key.
func parseYAML(name string, text []byte, all []Option, bad *Problems) map[string]Given {
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		bad.Add("", "%s: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
		return nil
	}
	at := func(n *yaml.Node) string { return fmt.Sprintf("%s line %d", name, n.Line) }
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		bad.Add("", "%s holds more than one document", name)
	}
	root := document.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil
	}
	if root.Kind != yaml.MappingNode {
		bad.Add("write lines such as log-level: debug", "%s: it is not a list of settings", at(root))
		return nil
	}
	values, lines := map[string]Given{}, map[string]int{}
	for i := 0; i < len(root.Content); i += 2 {
		key, node := root.Content[i], root.Content[i+1]
		index := slices.IndexFunc(all, func(o Option) bool { return o.Name == key.Value })
		if index < 0 || key.Kind != yaml.ScalarNode {
			bad.Add(Meant(key.Value, all), "%s: unknown setting %q", at(key), key.Value)
			continue
		}
		if first, twice := lines[key.Value]; twice {
			bad.Add("", "%s: %s is set in line %d already", at(key), key.Value, first)
			continue
		}
		lines[key.Value] = key.Line
		g := Given{Place: FromFile, Label: at(key) + " (" + key.Value + ")"}
		if err := g.fromNode(node, all[index].Kind); err != nil {
			bad.Add("", "%s: %v", g.Label, err)
			continue
		}
		values[key.Value] = g
	}
	return values
}

// Meant returns advice about an unknown name: "did you mean …?", or "".
func Meant(name string, all []Option) string {
	var names []string
	for _, o := range all {
		names = append(names, o.Name)
	}
	if candidates := english.Near(name, names); len(candidates) > 0 {
		return "did you mean " + english.Or(candidates) + "?"
	}
	return ""
}

// fromNode takes the value of a key.
func (g *Given) fromNode(n *yaml.Node, kind baton.SettingKind) error {
	text, err := scalar(n)
	if err == nil {
		g.texts = []string{text}
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		return err
	}
	if kind != baton.StringsSetting {
		return errors.New("takes one value, not a list")
	}
	g.list = true
	for _, item := range n.Content {
		text, err := scalar(item)
		if err != nil || item.Tag == "!!null" {
			return fmt.Errorf("item %d of the list is not a plain value", len(g.items)+1)
		}
		g.items = append(g.items, text)
	}
	return nil
}

// scalar returns the text of a plain value. null is the empty text.
func scalar(n *yaml.Node) (string, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case n.Kind != yaml.ScalarNode:
		return "", errors.New("is not a plain value")
	case n.Tag == "!!null":
		return "", nil
	}
	return n.Value, nil
}

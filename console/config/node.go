package config

import (
	"encoding"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// nodeOf returns a value as YAML. The package yaml makes nodes by writing and reading text, and texts of
// several lines with unusual spaces do not survive that.
func nodeOf(v any) (*yaml.Node, error) { return node(reflect.ValueOf(v)) }

func node(v reflect.Value) (*yaml.Node, error) {
	if v.IsValid() && v.CanInterface() {
		switch m := v.Interface().(type) {
		case yaml.Marshaler:
			if v.Kind() == reflect.Pointer && v.IsNil() {
				break
			}
			inner, err := m.MarshalYAML()
			if err != nil {
				return nil, err
			}
			return nodeOf(inner)
		case encoding.TextMarshaler:
			text, err := m.MarshalText()
			return textNode(string(text)), err
		}
	}
	switch v.Kind() {
	case reflect.Invalid:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
	case reflect.Pointer, reflect.Interface:
		return node(v.Elem())
	case reflect.String:
		return textNode(v.String()), nil
	case reflect.Bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(v.Bool())}, nil
	case reflect.Int, reflect.Int64:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.FormatInt(v.Int(), 10)}, nil
	case reflect.Slice:
		return listNode(v)
	case reflect.Map:
		return mapNode(v)
	case reflect.Struct:
		return structNode(v)
	}
	return nil, fmt.Errorf("a %s is not written as YAML", v.Type())
}

func listNode(v reflect.Value) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	if v.Len() == 0 {
		n.Style = yaml.FlowStyle // []
	}
	for i := range v.Len() {
		item, err := node(v.Index(i))
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, item)
	}
	return n, nil
}

// mapNode returns a map in the order of its keys.
func mapNode(v reflect.Value) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, k := range keys {
		value, err := node(v.MapIndex(k))
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, textNode(k.String()), value)
	}
	return n, nil
}

// structNode returns a struct in the order of its fields, without those that are left out.
func structNode(v reflect.Value) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for i := range v.NumField() {
		key, option, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		if key == "" || key == "-" || option == "omitempty" && isEmpty(v.Field(i)) {
			continue
		}
		value, err := node(v.Field(i))
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, textNode(key), value)
	}
	return n, nil
}

func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	case reflect.Struct:
		for i := range v.NumField() {
			if !isEmpty(v.Field(i)) {
				return false
			}
		}
		return true
	}
	return v.IsZero()
}

// textNode returns a text. It is in quotes if a block would not give it back, because readers of YAML
// differ in what is a line, and where older ones read a number or a truth value.
func textNode(text string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	lines := strings.Contains(text, "\n")
	if lines && (strings.ContainsAny(text, "\u0085\u2028\u2029\ufeff") || strings.TrimLeft(text, " \t\n") != text) || oldScalar.MatchString(text) {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

var oldScalar = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)$`)

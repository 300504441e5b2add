package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"baton/console"
)

// fieldsBetween returns how two descriptions of an object differ, in the order of the fields' names.
func fieldsBetween(before, after map[string]any) (fields []console.ConfigurationField) {
	differences("", before, after, func(path string, b, a any) {
		fields = append(fields, console.ConfigurationField{Field: path, Before: render(b), After: render(a)})
	})
	return fields
}

// differences calls report for each path at which two trees differ. Lists of scalars are compared as
// a whole.
func differences(path string, before, after any, report func(path string, before, after any)) {
	if reflect.DeepEqual(before, after) || empty(before) && empty(after) {
		return
	}
	b, bothMaps := before.(map[string]any)
	a, isMap := after.(map[string]any)
	if bothMaps = bothMaps && isMap; bothMaps || isMap && empty(before) || b != nil && empty(after) {
		keys := map[string]bool{}
		for k := range b {
			keys[k] = true
		}
		for k := range a {
			keys[k] = true
		}
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			differences(join(path, k), b[k], a[k], report)
		}
		return
	}
	listB, okB := before.([]any)
	listA, okA := after.([]any)
	if (okB || empty(before)) && (okA || empty(after)) && (nested(listB) || nested(listA)) {
		for i := range max(len(listB), len(listA)) {
			var x, y any
			if i < len(listB) {
				x = listB[i]
			}
			if i < len(listA) {
				y = listA[i]
			}
			differences(fmt.Sprintf("%s[%d]", path, i+1), x, y, report)
		}
		return
	}
	report(path, before, after)
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}

func nested(list []any) bool {
	return slices.ContainsFunc(list, func(v any) bool {
		_, is := v.(map[string]any)
		return is
	})
}

// render returns a value as text; "" for none.
func render(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []any:
		var all []string
		for _, one := range v {
			all = append(all, render(one))
		}
		return strings.Join(all, ", ")
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

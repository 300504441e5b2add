package cli

import (
	"fmt"
	"strings"

	"baton"
)

// parseResource parses the id of a resource: a Baton id, "bid:r:type/id" or
// "bid:r:parenttype/parentid/type/id", in which a backslash escapes a colon, a slash or a
// backslash, or simply "type:id". It drops the parent, which is not needed to find a resource.
func parseResource(text string) (baton.ResourceID, error) {
	bid, ok := strings.CutPrefix(text, "bid:")
	if !ok {
		kind, id, found := strings.Cut(text, ":")
		if !found || kind == "" || id == "" {
			return baton.ResourceID{}, fmt.Errorf("%q is not the id of a resource", text)
		}
		return baton.ResourceID{Type: kind, ID: id}, nil
	}
	path, ok := strings.CutPrefix(bid, "r:")
	if !ok {
		return baton.ResourceID{}, fmt.Errorf("%q is not the id of a resource", text)
	}
	parts, err := bidParts(path)
	if err != nil {
		return baton.ResourceID{}, fmt.Errorf("%q: %w", text, err)
	}
	if n := len(parts); n == 2 || n == 4 {
		return baton.ResourceID{Type: parts[n-2], ID: parts[n-1]}, nil
	}
	return baton.ResourceID{}, fmt.Errorf("%q has %d parts instead of type/id", text, len(parts))
}

// bidParts splits at slashes that are not escaped.
func bidParts(path string) ([]string, error) {
	parts := []string{""}
	for i := 0; i < len(path); i++ {
		last := &parts[len(parts)-1]
		switch path[i] {
		case '/':
			parts = append(parts, "")
		case '\\':
			i++
			if i == len(path) || !strings.ContainsRune(`:/\`, rune(path[i])) {
				return nil, fmt.Errorf("a backslash is not followed by a colon, slash or backslash")
			}
			*last += string(path[i])
		case ':':
			return nil, fmt.Errorf("a colon is not escaped")
		default:
			*last += path[i : i+1]
		}
	}
	for _, p := range parts {
		if p == "" {
			return nil, fmt.Errorf("a part is empty")
		}
	}
	return parts, nil
}

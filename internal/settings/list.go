package settings

import (
	"errors"
	"strings"
)

// parseList splits a comma-separated list. It trims items and drops empty ones, so "a, b," has two. An item
// in double quotes is taken unchanged, with "" for a quote; a quote elsewhere is an ordinary character.
func parseList(text string) ([]string, error) {
	var items []string
	for rest := text; ; {
		rest = strings.TrimLeft(rest, listSpace)
		if !strings.HasPrefix(rest, `"`) {
			item, after, more := strings.Cut(rest, ",")
			if item = strings.TrimRight(item, listSpace); item != "" {
				items = append(items, item)
			}
			if !more {
				return items, nil
			}
			rest = after
			continue
		}
		item, after, err := quotedItem(rest[1:])
		if err != nil {
			return nil, err
		}
		items = append(items, item)
		after = strings.TrimLeft(after, listSpace)
		if after == "" {
			return items, nil
		}
		if after[0] != ',' {
			return nil, errors.New("a comma is missing after a closing quote")
		}
		rest = after[1:]
	}
}

const listSpace = " \t\r\n"

// quotedItem reads up to the closing quote.
func quotedItem(text string) (item, rest string, err error) {
	var b strings.Builder
	for {
		before, after, closed := strings.Cut(text, `"`)
		b.WriteString(before)
		if !closed {
			return "", "", errors.New("a quote is not closed")
		}
		if !strings.HasPrefix(after, `"`) {
			return b.String(), after, nil
		}
		b.WriteByte('"')
		text = after[1:]
	}
}

// FormatList formats a list so that parsing returns the same list.
func FormatList(items []string) string {
	quoted := make([]string, len(items))
	for i, item := range items {
		if item == "" || strings.ContainsAny(item, `",`) || strings.Trim(item, listSpace) != item {
			item = `"` + strings.ReplaceAll(item, `"`, `""`) + `"`
		}
		quoted[i] = item
	}
	return strings.Join(quoted, ",")
}

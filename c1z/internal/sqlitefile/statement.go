package sqlitefile

import (
	"fmt"
	"slices"
	"strings"
)

// statement is a parsed CREATE statement.
type statement struct {
	sql     string // as SQLite stores it: with its own spelling of the words before the name
	name    string
	table   string // that an index is on
	unique  bool
	partial bool // an index with a WHERE
}

// parseTable parses a CREATE TABLE statement.
func parseTable(sql string) (statement, error) {
	words, ends := words(sql)
	if !begins(words, "create", "table", "", "(") {
		return statement{}, fmt.Errorf("sqlitefile: %q is not a CREATE TABLE statement of the supported form", sql)
	}
	for i, word := range words {
		if strings.EqualFold(word, "without") && begins(words[i:], "without", "rowid") {
			return statement{}, fmt.Errorf("sqlitefile: table %s has no rowid", words[2])
		}
	}
	return statement{sql: "CREATE TABLE " + rest(sql, ends[1]), name: words[2]}, nil
}

// parseIndex parses a CREATE INDEX statement.
func parseIndex(sql string) (statement, error) {
	words, ends := words(sql)
	s := statement{}
	kind := "CREATE INDEX "
	if begins(words, "create", "unique") {
		s.unique = true
		kind = "CREATE UNIQUE INDEX "
		words, ends = slices.Delete(words, 1, 2), slices.Delete(ends, 1, 2)
	}
	if !begins(words, "create", "index", "", "on", "", "(") {
		return s, fmt.Errorf("sqlitefile: %q is not a CREATE INDEX statement of the supported form", sql)
	}
	s.sql, s.name, s.table = kind+rest(sql, ends[1]), words[2], words[4]
	for _, word := range words {
		s.partial = s.partial || strings.EqualFold(word, "where")
	}
	return s, nil
}

// rest returns the statement after an offset.
func rest(sql string, end int) string {
	return strings.TrimRight(strings.TrimSpace(sql[end:]), "; \t\r\n")
}

// begins reports whether the words begin with those of want, where "" matches any unquoted name.
func begins(words []string, want ...string) bool {
	if len(words) < len(want) {
		return false
	}
	for i, w := range want {
		if w == "" && !plain(words[i][0]) || w != "" && !strings.EqualFold(words[i], w) {
			return false
		}
	}
	return true
}

// words splits a statement into words, quoted strings and single other characters, and returns
// where each of them ends.
func words(sql string) (words []string, ends []int) {
	for i := 0; i < len(sql); {
		start := i
		c := sql[i]
		i++
		switch {
		case strings.IndexByte(" \t\r\n", c) >= 0:
			continue
		case plain(c):
			for i < len(sql) && plain(sql[i]) {
				i++
			}
		case c == '\'' || c == '"' || c == '`':
			for i < len(sql) && sql[i] != c {
				i++
			}
			i = min(i+1, len(sql))
		}
		words = append(words, sql[start:i])
		ends = append(ends, i)
	}
	return words, ends
}

func plain(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

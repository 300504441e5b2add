package sqlitefile

import (
	"fmt"
	"slices"
	"strings"
)

// statement is what a CREATE statement says about itself.
type statement struct {
	sql     string // as SQLite keeps it: one spelling up to the name
	name    string
	table   string // that an index is on
	unique  bool
	partial bool // an index with a WHERE
}

// parseTable reads a CREATE TABLE statement of the plainest form.
func parseTable(sql string) (statement, error) {
	words, ends := words(sql)
	if !begins(words, "create", "table", "", "(") {
		return statement{}, fmt.Errorf("sqlitefile: %q is not a plain create table", sql)
	}
	for i, word := range words {
		if strings.EqualFold(word, "without") && begins(words[i:], "without", "rowid") {
			return statement{}, fmt.Errorf("sqlitefile: table %s has no rowid", words[2])
		}
	}
	return statement{sql: "CREATE TABLE " + rest(sql, ends[1]), name: words[2]}, nil
}

// parseIndex reads a CREATE INDEX statement of the plainest form.
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
		return s, fmt.Errorf("sqlitefile: %q is not a plain create index", sql)
	}
	s.sql, s.name, s.table = kind+rest(sql, ends[1]), words[2], words[4]
	for _, word := range words {
		s.partial = s.partial || strings.EqualFold(word, "where")
	}
	return s, nil
}

// rest is the statement from the word on that begins after the end of another.
func rest(sql string, end int) string {
	return strings.TrimRight(strings.TrimSpace(sql[end:]), "; \t\r\n")
}

// begins compares the first words; "" stands for any plain name.
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

// words cuts a statement into words, quoted strings and single other characters, and
// says where each of them ends.
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

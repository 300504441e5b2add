package engine

import (
	"strings"
	"sync"
)

// locks are the row locks in statements, the longest first.
var locks = []string{" FOR NO KEY UPDATE SKIP LOCKED", " FOR UPDATE SKIP LOCKED", " FOR UPDATE", " FOR KEY SHARE", " FOR SHARE"}

var translated sync.Map // statement → its form for SQLite

// ForSQLite converts a statement for SQLite: parameters $1 become ?1, and row locks are removed.
// Quoted text stays.
func ForSQLite(statement string) string {
	if s, ok := translated.Load(statement); ok {
		return s.(string)
	}
	s := forSQLite(statement)
	translated.Store(statement, s)
	return s
}

func forSQLite(statement string) string {
	var b strings.Builder
	for i := 0; i < len(statement); {
		rest := statement[i:]
		switch c := rest[0]; {
		case c == '\'':
			n := quoted(rest)
			b.WriteString(rest[:n])
			i += n
			continue
		case c == '$' && len(rest) > 1 && '0' <= rest[1] && rest[1] <= '9':
			b.WriteByte('?')
			i++
			continue
		case c == ' ':
			if n := lock(rest); n > 0 {
				i += n
				continue
			}
		}
		b.WriteByte(rest[0])
		i++
	}
	return b.String()
}

// quoted returns the length of the quoted text at the start of s. A doubled quote ends it
// and begins the next.
func quoted(s string) int {
	if n := strings.IndexByte(s[1:], '\''); n >= 0 {
		return n + 2
	}
	return len(s)
}

// lock returns the length of the row lock at the start of s.
func lock(s string) int {
	for _, l := range locks {
		if strings.HasPrefix(s, l) && (len(s) == len(l) || strings.IndexByte(" )\n", s[len(l)]) >= 0) {
			return len(l)
		}
	}
	return 0
}

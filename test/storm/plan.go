package storm

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"baton/sandbox/fault"
)

// pick returns a random element.
func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// chance returns true in n of 100 cases.
func chance(r *rand.Rand, n int) bool { return r.IntN(100) < n }

// setting returns a fault with a random value that suits a test.
func setting(r *rand.Rand, f fault.Fault) string {
	value := ""
	switch {
	case f.Value == "":
		return f.Name
	case f.Name == "huge-body" || f.Name == "gzip-bomb":
		value = "2" // MiB; the client reads at most one
	case slices.Contains(crowds, f.Name):
		value = "2"
	case f.Name == "retry-after":
		value = pick(r, "1", "7", "600", "86400")
	case f.Name == "body-limit":
		value = fmt.Sprint(16 + r.IntN(300))
	case f.Name == "page-cap":
		value = fmt.Sprint(1 + r.IntN(12))
	case f.Name == "redirect":
		value = pick(r, "https://elsewhere.invalid/", "http://127.0.0.1:9/", "https://localhost.evil.invalid/scim/v2.0/sandbox")
	case f.Value == fault.Count:
		value = fmt.Sprint(1 + r.IntN(6))
	case f.Value == fault.CountOrZero:
		value = fmt.Sprint(r.IntN(5))
	case f.Value == fault.Rows:
		value = fmt.Sprintf("%d/%d", r.IntN(40), r.IntN(3))
	case f.Value == fault.Duration:
		value = pick(r, "1ms", "2s", "61s")
	default:
		value = f.Default
	}
	return f.Name + "=" + value
}

// faults returns n random faults of the table, often with small pages.
func faults(r *rand.Rand, table []fault.Fault, n int) []string {
	var names []string
	for range n {
		f := table[r.IntN(len(table))]
		names = append(names, setting(r, f))
		if f.Name == "retry-after" {
			names = append(names, pick(r, "rate-limit-seconds=2", "rate-limit-date=3"))
		}
	}
	if chance(r, 70) {
		names = append(names, fmt.Sprintf("page-cap=%d", 1+r.IntN(12)))
	}
	return names
}

// alone returns the fault with only those faults that it needs to have an effect.
func alone(r *rand.Rand, f fault.Fault) []string {
	names := []string{"page-cap=6"}
	switch f.Name {
	case "page-cap":
		names = nil
	case "retry-after":
		names = append(names, "rate-limit-seconds=2")
	case "bare-errors":
		names = append(names, "rate-limit=3")
	case "no-provider-config":
		names = []string{"cursor-only"}
	case "total-zero-past-end", "wrap-around", "resources-absent":
		names = []string{"page-cap=1"} // the end of the list must be requested
	case "rows-shift-delete", "rows-shift-insert", "rows-shift-both", "expire-cursor":
		names = []string{"page-cap=2", "filter-unsupported"} // makes a change read the list of users
	case "duplicate-add-409", "absent-remove-404", "absent-remove-412", "conflict-without-scimtype":
		names = append(names, "duplicate-delivery")
	case "held-row-on-reject":
		names = append(names, "unverified-domain")
	case "foreign-404-one", "denied-one", "crossed-answers":
		names = append(names, "members-absent") // makes a sync read groups one by one
	case "shared-names":
		names = append(names, "members-by-user-name")
	case "crowded-group", "repeated-members":
		return append(names, f.Name+"=6")
	case "search-fail", "search-429":
		return append(names, f.Name) // there are too few searches for an Nth one
	case "borrowed-address":
		names = append(names, pick(r, "filter-ignored", "create-empty"))
	case "empty-page", "error-after-work", "create-other":
		return append(names, f.Name+"=1")
	}
	if chance(r, 50) || f.Value == fault.Rows || f.Name == "huge-body" || f.Name == "gzip-bomb" {
		return append(names, setting(r, f))
	}
	return append(names, f.Name)
}

// nameOf returns a setting without its value.
func nameOf(setting string) string {
	for i := range setting {
		if setting[i] == '=' {
			return setting[:i]
		}
	}
	return setting
}

func has(settings []string, names ...string) bool {
	return slices.ContainsFunc(settings, func(s string) bool { return slices.Contains(names, nameOf(s)) })
}

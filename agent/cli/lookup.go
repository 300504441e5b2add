package cli

import (
	"errors"
	"slices"
	"strings"

	"baton"
	"baton/c1z"
)

// memberSlug is the entitlement that somebody means who names just a group.
const memberSlug = "member"

// withFile opens the file of the run for looking things up.
func (r *run) withFile(do func(*lookup) error) error {
	path := r.values.String("file")
	f, err := c1z.Open(path, r.values.String("c1z-temp-dir"))
	if err != nil {
		return err
	}
	return errors.Join(do(&lookup{file: f, path: path, connector: r.program.Describe()}), f.Close())
}

// lookup finds what a person names on the command line in the newest sync of the
// file. What is not there is NotFound, with what was probably meant.
type lookup struct {
	file      *c1z.File
	path      string
	connector *baton.Connector
}

// missing is the error for what is not in the file.
func (l *lookup) missing(what, id string, candidates []string) error {
	e := baton.Errorf(baton.NotFound, "there is no %s %q in %s", what, id, l.path)
	if len(candidates) > 0 {
		return e.WithFix("did you mean %s?", orList(candidates))
	}
	return e.WithFix("sync again if it is new; the report command lists what is there")
}

// principal is the resource with that id.
func (l *lookup) principal(kind, id string) (baton.Resource, error) {
	res, err := l.file.Resource(baton.ResourceID{Type: kind, ID: id})
	if err == nil || baton.KindOf(err) != baton.NotFound {
		return res, err
	}
	found, err := l.similar(kind, strings.TrimPrefix(id, kind+":"))
	if err != nil {
		return res, err
	}
	var candidates []string
	for _, c := range found {
		candidates = append(candidates, c.ID.ID+called(c.DisplayName))
	}
	return res, l.missing(kind, id, candidates)
}

// entitlement is the entitlement with that id.
func (l *lookup) entitlement(id string) (baton.Entitlement, error) {
	e, err := l.file.Entitlement(id)
	if err == nil || baton.KindOf(err) != baton.NotFound {
		return e, err
	}
	candidates, err := l.entitlements(id)
	if err != nil {
		return e, err
	}
	return e, l.missing("entitlement", id, candidates)
}

// entitlements are ids of entitlements that somebody may mean by the text.
func (l *lookup) entitlements(text string) ([]string, error) {
	var candidates []string
	for _, t := range l.connector.ResourceTypes {
		if t.NoEntitlements {
			continue
		}
		rest := strings.TrimPrefix(text, t.ID+":")
		words, slugs := []string{rest}, []string{memberSlug}
		if i := strings.LastIndexByte(rest, ':'); i >= 0 {
			words, slugs = append(words, rest[:i]), append(slugs, rest[i+1:])
		}
		for _, word := range words {
			found, err := l.similar(t.ID, word)
			if err != nil {
				return nil, err
			}
			for _, res := range found {
				for _, slug := range slugs {
					id := baton.EntitlementID{Resource: res.ID, Slug: slug}.String()
					_, err := l.file.Entitlement(id)
					text := id + called(res.DisplayName)
					if err == nil && len(candidates) < 3 && !slices.Contains(candidates, text) {
						candidates = append(candidates, text)
					}
				}
			}
		}
	}
	return candidates, nil
}

// grant is the grant with that id.
func (l *lookup) grant(id string) (baton.Grant, error) {
	g, err := l.file.Grant(id)
	if err == nil || baton.KindOf(err) != baton.NotFound {
		return g, err
	}
	// The id names an entitlement and a principal; what is wrong may be one of them.
	for _, t := range l.connector.ResourceTypes {
		i := strings.LastIndex(id, ":"+t.ID+":")
		if i < 0 {
			continue
		}
		entitlement, principal := id[:i], id[i+len(t.ID)+2:]
		if _, err := l.entitlement(entitlement); err != nil {
			return g, err
		}
		if _, err := l.principal(t.ID, principal); err != nil {
			return g, err
		}
		return g, baton.Errorf(baton.NotFound, "%s %s does not hold %s in %s", t.ID, principal, entitlement, l.path).
			WithFix("it may be revoked already; sync again if it was granted since")
	}
	return g, l.missing("grant", id, nil)
}

// similar are up to three resources that go by the word: by id, e-mail, login or
// name, whatever the case; or else by an id that is nearly it.
func (l *lookup) similar(kind, word string) ([]baton.Resource, error) {
	var same []baton.Resource
	var close nearest[baton.Resource]
	err := l.file.Resources(kind, func(r baton.Resource) error {
		switch {
		case slices.ContainsFunc(names(r), func(name string) bool { return strings.EqualFold(name, word) }):
			same = append(same, r)
		default:
			close.add(word, r.ID.ID, r)
		}
		return nil
	})
	if len(same) == 0 {
		return close.best(), err
	}
	return same[:min(3, len(same))], err
}

func names(r baton.Resource) []string {
	list := []string{r.ID.ID, r.DisplayName}
	if r.User != nil {
		list = append(list, r.User.Login)
		for _, e := range r.User.Emails {
			list = append(list, e.Address)
		}
	}
	return list
}

// called is a name beside an id.
func called(name string) string {
	if name == "" {
		return ""
	}
	return " (" + name + ")"
}

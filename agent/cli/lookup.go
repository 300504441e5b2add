package cli

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"baton"
	"baton/c1z"
	"baton/internal/english"
)

// memberSlug is the slug that is assumed if only a group is named.
const memberSlug = "member"

// withFile calls do with a lookup in the newest sync of the file.
func (r *run) withFile(ctx context.Context, do func(*lookup) error) error {
	path := r.Values.String("file")
	f, err := c1z.Opener{TempDir: cmp.Or(r.Values.String("c1z-temp-dir"), filepath.Dir(path))}.Open(ctx, path)
	if err != nil {
		return err
	}
	sync, err := f.Latest()
	if err == nil {
		err = do(&lookup{ctx: ctx, sync: sync, path: path, connector: r.program.Describe()})
	}
	return errors.Join(err, f.Close())
}

// lookup finds ids of the command line in the newest sync of the file. An id that is not there
// is a NotFound error, with suggestions.
type lookup struct {
	ctx       context.Context
	sync      *c1z.Sync
	path      string
	connector *baton.Connector
}

// missing returns the error for an id that is not in the file.
func (l *lookup) missing(noun, id string, candidates []string) error {
	e := baton.Errorf(baton.NotFound, "there is no %s %q in %s", noun, id, l.path)
	if len(candidates) > 0 {
		return e.WithFix("did you mean %s?", english.Or(candidates))
	}
	return e.WithFix("sync again if it is new; the report command lists the contents of the file")
}

// principal returns the resource with an id.
func (l *lookup) principal(kind, id string) (c1z.Resource, error) {
	res, err := l.sync.Resource(l.ctx, baton.ResourceID{Type: kind, ID: id})
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

// entitlement returns the entitlement with an id.
func (l *lookup) entitlement(id string) (c1z.Entitlement, error) {
	e, err := l.sync.Entitlement(l.ctx, id)
	if err == nil || baton.KindOf(err) != baton.NotFound {
		return e, err
	}
	candidates, err := l.entitlements(id)
	if err != nil {
		return e, err
	}
	return e, l.missing("entitlement", id, candidates)
}

// entitlements returns up to three suggestions for the id of an entitlement.
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
					_, err := l.sync.Entitlement(l.ctx, id)
					text := id + called(res.DisplayName)
					if err == nil && len(candidates) < 3 && !slices.Contains(candidates, text) {
						candidates = append(candidates, text)
					}
				}
			}
		}
	}
	if len(candidates) > 0 {
		return candidates, nil
	}
	var close english.Nearest[string]
	for e, err := range l.sync.Entitlements(l.ctx) { // ids may be of free form
		if err != nil {
			return nil, err
		}
		close.Add(text, e.ID, e.ID+called(e.DisplayName))
	}
	return close.Best(), nil
}

// grant returns the grant with an id.
func (l *lookup) grant(id string) (c1z.Grant, error) {
	g, err := l.sync.Grant(l.ctx, id)
	if err == nil || baton.KindOf(err) != baton.NotFound {
		return g, err
	}
	// The id usually contains an entitlement and a principal. Either may be the wrong part.
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

// entitlementID returns the id of an entitlement in the form that the connector uses.
func (l *lookup) entitlementID(id string, resource baton.ResourceID, slug string) (baton.EntitlementID, error) {
	if e, ok := baton.ParseEntitlementID(id, resource); ok {
		return e, nil
	}
	if slug == "" { // a grant has no slug
		e, err := l.sync.Entitlement(l.ctx, id)
		if err != nil && baton.KindOf(err) != baton.NotFound {
			return baton.EntitlementID{}, err
		}
		slug = e.Slug
	}
	if slug == "" {
		return baton.EntitlementID{}, baton.Errorf(baton.Unsupported, "the entitlement %q in %s was not written by this connector", id, l.path).
			WithFix("use a file that this connector has synced")
	}
	return baton.EntitlementID{Resource: resource, Slug: slug}, nil
}

// similar returns up to three resources whose id, e-mail address, login or name is the word,
// ignoring case. If there is none, it returns those with a similar id.
func (l *lookup) similar(kind, word string) ([]baton.Resource, error) {
	var same []baton.Resource
	var close english.Nearest[baton.Resource]
	for r, err := range l.sync.ResourcesOfType(l.ctx, kind) {
		switch {
		case err != nil:
			return nil, err
		case slices.ContainsFunc(names(r.Resource), func(name string) bool { return strings.EqualFold(name, word) }):
			same = append(same, r.Resource)
		default:
			close.Add(word, r.ID.ID, r.Resource)
		}
	}
	if len(same) == 0 {
		return close.Best(), nil
	}
	return same[:min(3, len(same))], nil
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

// called returns a display name in parentheses, or "".
func called(name string) string {
	if name == "" {
		return ""
	}
	return " (" + name + ")"
}

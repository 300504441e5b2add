package syncer

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"baton"
	"baton/c1z/writer"
	"baton/internal/intern"
	"baton/wire"
)

// maxUnknown bounds the number of different principals that are not the id of a resource, if
// a connector is asked to identify them. More count as a failed read, because each of them
// takes memory.
const maxUnknown = 1 << 18

// errRenamed means that grants identify accounts by something other than their ids, and that
// the rows must be written again with the ids that are known now.
var errRenamed = errors.New("syncer: principals have other names")

// dropUnknown drops the grants whose principal is not a resource of the sync, unless the
// connector can identify the account. It returns errRenamed if the connector identified
// some, and baton.Incomplete if it cannot decide for one.
func (s *sealing) dropUnknown() error {
	unknown := map[string]*intern.Table{}
	s.out.DropUnknownPrincipals(func(kind, id []byte) bool {
		if s.known(kind, id) {
			return true
		}
		t := unknown[string(kind)]
		if t == nil {
			t = new(intern.Table)
			unknown[string(kind)] = t
		}
		if t.Len() <= maxUnknown {
			t.Add(id)
		}
		return false
	})
	resolve := s.run.cfg.Connector.Resolve
	if resolve == nil || s.run.renamed != nil {
		return nil
	}
	for _, kind := range slices.Sorted(maps.Keys(unknown)) {
		t := unknown[kind]
		if t.Len() > maxUnknown {
			return s.tooManyUnknown()
		}
		same, unread, err := resolve(baton.Unknown{
			Principals: func(yield func(string) bool) {
				for n := range t.Len() {
					if !yield(string(t.Text(n))) {
						return
					}
				}
			},
			Accounts: func(fn func(baton.Resource) error) error { return s.resources(kind, fn) },
			Has:      func(id baton.ResourceID) bool { return s.known([]byte(id.Type), []byte(id.ID)) },
		})
		if err != nil {
			return fmt.Errorf("identify the principals of grants: %w", err)
		}
		if len(unread) > 0 {
			return s.unread(baton.ResourceID{Type: kind, ID: unread[0]}, len(unread))
		}
		if len(same) > 0 {
			if s.run.renamed == nil {
				s.run.renamed = map[string]map[string]string{}
			}
			s.run.renamed[kind] = same
		}
	}
	if s.run.renamed != nil {
		return errRenamed
	}
	return nil
}

// checkPrincipals fails if the grants so far have more principals than there are resources,
// and than a connector is asked about.
func (s *sealing) checkPrincipals() error {
	if s.run.cfg.Connector.Resolve == nil || s.targeted() {
		return nil
	}
	most := maxUnknown
	for _, f := range s.run.feeds {
		most += f.seen.Len()
	}
	if s.out.Principals() > most {
		return s.tooManyUnknown()
	}
	return nil
}

func (s *sealing) tooManyUnknown() error {
	return s.notUnderstood("more than %d different principals of grants are the id of no resource", maxUnknown)
}

// resources calls fn for each resource of a type in the page log.
func (s *sealing) resources(kind string, fn func(baton.Resource) error) error {
	return s.replay(func(row writer.Row) error {
		if k, _ := row.Resource(); row.Table != writer.Resources || string(k) != kind {
			return nil
		}
		r, err := wire.UnmarshalResource(row.Data())
		if err != nil {
			return err
		}
		return fn(r)
	})
}

func (s *sealing) replay(fn func(writer.Row) error) error {
	for _, f := range s.run.feeds {
		var rows writer.Decoder
		err := f.log.Replay(func(record []byte, _ int64) error {
			row, err := rows.Row(record)
			if err != nil {
				return err
			}
			return fn(row)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// unread returns the error for a principal that cannot be identified. It names a resource on
// which the principal has a grant.
func (s *sealing) unread(principal baton.ResourceID, n int) error {
	var on baton.ResourceID
	name := ""
	err := s.replay(func(row writer.Row) error {
		if row.Table != writer.Grants || row.PrincipalID() != principal {
			return nil
		}
		g, err := row.Grant()
		if err != nil {
			return err
		}
		on, name = g.ID.Entitlement.Resource, g.ResourceName
		return errFound
	})
	if err != nil && !errors.Is(err, errFound) {
		return err
	}
	others := ""
	if n > 1 {
		others = fmt.Sprintf(", and %d others", n-1)
	}
	return s.notUnderstood("the upstream lists %q as a member of %s %s (%s), but no %s can be identified by that%s",
		clip(principal.ID), on.Type, name, on.ID, principal.Type, others)
}

var errFound = errors.New("found")

// notUnderstood returns the error of a sync that must not be sealed. The next sync starts
// over.
func (s *sealing) notUnderstood(format string, args ...any) error {
	s.run.void = true
	return baton.Errorf(baton.Incomplete, format, args...).
		WithFix("Nothing was written: the members would be missing. Show this line to whoever runs the upstream; if the account is to be ignored, take it out of the group there.")
}

// rename returns the row of a grant with the id of its principal, if the grant identifies the
// principal by something else; otherwise ok is false.
func (r *run) rename(row writer.Row) (renamed writer.Row, ok bool, err error) {
	if r.renamed == nil || row.Table != writer.Grants {
		return row, false, nil
	}
	p := row.PrincipalID()
	id, ok := r.renamed[p.Type][p.ID]
	if !ok {
		return row, false, nil
	}
	g, err := row.Grant()
	if err != nil {
		return row, false, err
	}
	g.ID.Principal.ID = id
	renamed, err = writer.GrantRow(g)
	return renamed, true, err
}

// clip shortens a text of the upstream for a message.
func clip(text string) string {
	if runes := []rune(text); len(runes) > 80 {
		return string(runes[:79]) + "…"
	}
	return text
}

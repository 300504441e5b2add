package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

const scimPage = 100

// scim reads the users, and the groups with their members, concurrently.
func (c *client) scim(ctx context.Context) (Kept, error) {
	var kept Kept
	found := newPairs()
	err := together(
		func() error {
			type user struct {
				ID, UserName string
				Active       bool
				Emails       []struct{ Value string }
			}
			return c.resources(ctx, "/Users", func(body io.Reader) (total, count int, err error) {
				return resources(body, func(*user) { kept.Users++ })
			})
		},
		func() error {
			type group struct {
				ID, DisplayName string
				Members         []struct{ Value string }
			}
			return c.resources(ctx, "/Groups", func(body io.Reader) (total, count int, err error) {
				if c.mode == "fast" {
					total, count, err = groupRows(body, found)
					kept.Items += count
					return total, count, err
				}
				return resources(body, func(g *group) {
					kept.Items++
					for _, m := range g.Members {
						found.add([]byte(m.Value), []byte(g.ID), false)
					}
				})
			})
		},
	)
	kept.Pairs = len(found.list)
	return kept, err
}

// resources reads a list page by page. If bytes are not decoded, the first page gives the total.
func (c *client) resources(ctx context.Context, path string, read func(io.Reader) (total, count int, err error)) error {
	total := -1
	for start := 1; total < 0 || start <= total; {
		count := scimPage
		err := c.do(ctx, http.MethodGet, fmt.Sprintf("%s?startIndex=%d&count=%d", path, start, scimPage), "", func(_ http.Header, body io.Reader) (err error) {
			if c.mode == "discard" && total >= 0 {
				return nil
			}
			total, count, err = read(body)
			return err
		})
		if err != nil {
			return err
		}
		if count == 0 {
			return errors.New("a page is empty before the list ends")
		}
		start += count
	}
	return nil
}

// resources decodes a ListResponse with encoding/json, one resource at a time.
func resources[T any](body io.Reader, each func(*T)) (total, count int, err error) {
	dec := json.NewDecoder(body)
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return 0, 0, errors.Join(err, errors.New("there is no object"))
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return 0, 0, err
		}
		switch name {
		case "totalResults":
			err = dec.Decode(&total)
		case "Resources":
			err = rows(dec, func(row *T) { count++; each(row) })
		default:
			var skipped json.RawMessage
			err = dec.Decode(&skipped)
		}
		if err != nil {
			return 0, 0, err
		}
	}
	_, err = dec.Token()
	return total, count, err
}

// groupRows reads the ids of groups and members and skips the rest. Members may precede the id of their
// group.
func groupRows(body io.Reader, found *pairs) (total, count int, err error) {
	s := newScanner(body)
	var id, member []byte
	var members []uint32
	err = s.object(func(name []byte) (err error) {
		switch string(name) {
		case "totalResults":
			total, err = s.number()
			return err
		case "Resources":
			return s.list(func() error {
				count++
				members = members[:0]
				err := s.object(func(name []byte) (err error) {
					switch string(name) {
					case "id":
						id, err = s.text(id[:0])
						return err
					case "members":
						return s.list(func() error {
							err := s.object(func(name []byte) (err error) {
								if string(name) != "value" {
									return s.skip()
								}
								member, err = s.text(member[:0])
								return err
							})
							members = append(members, found.users.of(member))
							return err
						})
					}
					return s.skip()
				})
				group := found.items.of(id)
				for _, m := range members {
					found.list = append(found.list, pair{m, group})
				}
				return err
			})
		}
		return s.skip()
	})
	return total, count, err
}

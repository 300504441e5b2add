package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const percipioPage = 1000

// percipio reads the users, the catalogue and the report concurrently.
func (c *client) percipio(ctx context.Context, organization string) (Kept, error) {
	path := func(api string) string { return "/" + api + "/organizations/" + url.PathEscape(organization) }
	var kept Kept
	found := newPairs()
	type user struct{ ID, FirstName, LastName, Email, LoginName, Role string }
	type item struct {
		ID, LifecycleStatus string
		ContentType         struct{ PercipioType string }
	}
	err := together(
		func() (err error) {
			kept.Users, err = listed[user](ctx, c, path("user-management/v1")+"/users")
			return err
		},
		func() (err error) {
			kept.Items, err = listed[item](ctx, c, path("content-discovery/v2")+"/catalog-content")
			return err
		},
		func() error { return c.report(ctx, path("reporting/v1")+"/report-requests/", found) },
	)
	kept.Pairs = len(found.list)
	return kept, err
}

// listed reads a list page by page.
func listed[T any](ctx context.Context, c *client, path string) (int, error) {
	count, paging := 0, ""
	for offset := 0; ; offset += percipioPage {
		query := url.Values{"offset": {strconv.Itoa(offset)}, "max": {strconv.Itoa(percipioPage)}}
		if paging != "" {
			query.Set("pagingRequestId", paging)
		}
		total := -1
		err := c.do(ctx, http.MethodGet, path+"?"+query.Encode(), "", func(h http.Header, body io.Reader) (err error) {
			paging = h.Get("x-paging-request-id")
			if total, err = strconv.Atoi(h.Get("x-total-count")); err != nil || c.mode == "discard" {
				return err
			}
			return rows(json.NewDecoder(body), func(*T) { count++ })
		})
		if err != nil || offset+percipioPage >= total {
			return count, err
		}
	}
}

// report requests the activity of all time and reads it.
func (c *client) report(ctx context.Context, path string, found *pairs) error {
	request := fmt.Sprintf(`{"start":"2000-01-01T00:00:00Z","end":"%s","formatType":"JSON","isFileRequiredInSftp":false,"sort":{"field":"lastAccessDate","order":"desc"}}`,
		time.Now().UTC().Format(time.RFC3339))
	var made struct{ ID string }
	err := c.do(ctx, http.MethodPost, path+"learning-activity", request, func(_ http.Header, body io.Reader) error {
		return json.NewDecoder(body).Decode(&made)
	})
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodGet, path+url.PathEscape(made.ID), "", func(_ http.Header, body io.Reader) error {
		switch c.mode {
		case "discard":
			return nil
		case "decode":
			return rows(json.NewDecoder(body), func(r *struct{ UserUUID, ContentUUID, Status string }) {
				found.add([]byte(r.UserUUID), []byte(r.ContentUUID), done([]byte(r.Status)))
			})
		}
		return reportRows(body, found)
	})
}

func done(status []byte) bool {
	switch string(status) {
	case "Completed", "Achieved", "Watched", "Read", "Listened":
		return true
	}
	return false
}

// reportRows reads three attributes of each row and skips the others.
func reportRows(body io.Reader, found *pairs) error {
	s := newScanner(body)
	var user, item, status []byte
	return s.list(func() error {
		user, item, status = user[:0], item[:0], status[:0]
		err := s.object(func(name []byte) (err error) {
			switch string(name) {
			case "userUuid":
				user, err = s.text(user)
			case "contentUuid":
				item, err = s.text(item)
			case "status":
				status, err = s.text(status)
			default:
				err = s.skip()
			}
			return err
		})
		found.add(user, item, done(status))
		return err
	})
}

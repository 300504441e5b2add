package scim

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"baton"
)

// ListStep is the state of a list after a page.
type ListStep struct {
	Next Position
	Done bool // the list is complete, and proved to be
	// Restart voids all rows of this pass: the list changed and begins anew at Next.
	Restart bool
	Total   int // rows in all as the server claims, 0 if it does not or cannot be believed
	Rows    int // rows in this page
	Fresh   int // rows in this page that were not seen before
}

// ListUsers reads one page of users, with one request. seen reports whether a row
// with that id came with an earlier page of this pass, also if another process
// read that page; each gets the rows that were not seen, each once. After an error
// the same position may be read again. Incomplete if the list cannot be proved
// complete; see the package comment.
func (c *Client) ListUsers(ctx context.Context, at Position, seen func(id string) bool, each func(User)) (ListStep, error) {
	step, err := listPage(ctx, c, "Users", "", at, decodeUser, seen, each)
	return step, explain("list users", err)
}

// ListGroups reads one page of groups, as ListUsers does users.
func (c *Client) ListGroups(ctx context.Context, at Position, seen func(id string) bool, each func(Group)) (ListStep, error) {
	step, err := listPage(ctx, c, "Groups", "", at, decodeGroup, seen, each)
	return step, explain("list groups", err)
}

// listPage reads and judges one page. Rows are handed out only when they count.
func listPage[T any](ctx context.Context, c *Client, endpoint, filter string, at Position,
	decode func(json.RawMessage) (string, T, error), seen func(id string) bool, each func(T)) (ListStep, error) {
	resp, err := c.get(ctx, "/"+endpoint, c.pageQuery(endpoint, at, filter), false)
	if at.Pages == 0 && filter == "" && statusOf(err) == http.StatusBadRequest {
		// Some servers page by cursor only (RFC 9865); an empty one asks for the first page.
		if first, failed := c.get(ctx, "/"+endpoint, url.Values{"count": {strconv.Itoa(c.pageSize)}, "cursor": {""}}, false); failed == nil {
			resp, err, at.Cursor = first, nil, beginning
		}
	}
	var a answer
	var rows []json.RawMessage
	switch {
	case err == nil:
		if a, rows, err = decodeList(resp.Body); err != nil {
			return ListStep{}, err
		}
	case at.Cursor != "" && cursorLost(err):
		next, v, err := at.again(baton.Errorf(baton.Incomplete, "the list kept changing: %w", err))
		return ListStep{Next: next, Restart: v == restart}, err
	case statusOf(err) == http.StatusNotFound:
		return ListStep{}, baton.Errorf(baton.NotFound, "%w", err).WithFix("check the SCIM URL; it ends above /%s", endpoint)
	case !probeRefused(at, err) && !c.cursorsOnly(ctx, at, err):
		return ListStep{}, err
	}
	var fresh []T
	inPage := make(map[string]bool, len(rows))
	for i, row := range rows {
		id, v, err := decode(row)
		if err != nil {
			return ListStep{}, err
		}
		if id == "" {
			return ListStep{}, baton.Errorf(baton.Incomplete, "row %d of the page has no id, so the list cannot be proved complete", i+1)
		}
		if i == 0 {
			a.first = id
		}
		if inPage[id] || seen != nil && seen(id) {
			continue
		}
		inPage[id] = true
		fresh = append(fresh, v)
	}
	a.rows, a.fresh = len(rows), len(fresh)
	next, v, err := at.after(a, c.pageSize)
	if err != nil {
		return ListStep{}, err
	}
	step := ListStep{Next: next, Done: v == end, Restart: v == restart, Rows: a.rows, Fresh: a.fresh}
	if next.counted() {
		step.Total = next.Total
	}
	if v != restart {
		for _, row := range fresh {
			each(row)
		}
	}
	return step, nil
}

// beginning stands for the empty cursor of a first page.
const beginning = "-"

// sortKeys are attributes that every server has and can compare.
var sortKeys = map[string]string{"Users": "userName", "Groups": "displayName"}

func (c *Client) pageQuery(endpoint string, at Position, filter string) url.Values {
	q := url.Values{"count": {strconv.Itoa(c.pageSize)}}
	if at.Sorted {
		q.Set("sortBy", sortKeys[endpoint])
	}
	switch {
	case at.Cursor != "":
		q.Set("cursor", at.Cursor)
	case at.Check:
		q.Set("startIndex", "2")
	default:
		q.Set("startIndex", strconv.Itoa(at.Received+1))
	}
	if filter != "" {
		q.Set("filter", filter)
	}
	return q
}

// cursorLost recognises the errors of RFC 9865 for a cursor that no longer works.
func cursorLost(err error) bool {
	t := ErrorType(err)
	return statusOf(err) == http.StatusBadRequest && (t == "invalidCursor" || t == "expiredCursor")
}

// probeRefused reports whether a server that claimed no more rows than it had sent
// refused to be asked for more. The RFC wants an empty page there.
func probeRefused(at Position, err error) bool {
	return at.Cursor == "" && !at.Check && at.counted() && at.Distinct == at.Total &&
		statusOf(err) == http.StatusBadRequest && baton.KindOf(err) == baton.Invalid
}

// cursorsOnly reports whether a first page that came without total and cursor, and
// that the server refuses to go on from, is all there is: so it is where the server
// says that it knows cursors and no startIndex.
func (c *Client) cursorsOnly(ctx context.Context, at Position, err error) bool {
	if at.Pages != 1 || at.Cursor != "" || at.Total > 0 || statusOf(err) != http.StatusBadRequest {
		return false
	}
	says, err := c.ServiceProviderConfig(ctx)
	return err == nil && says.CursorPaging != nil && *says.CursorPaging && says.IndexPaging != nil && !*says.IndexPaging
}

// decodeList reads a ListResponse. Anything else, however successful its status,
// is an error: an empty list is one that says so.
func decodeList(body []byte) (answer, []json.RawMessage, error) {
	var l struct {
		TotalResults number          `json:"totalResults"`
		NextCursor   text            `json:"nextCursor"`
		Resources    json.RawMessage `json:"Resources"`
	}
	body = bytes.TrimSpace(body)
	if len(body) == 0 || body[0] != '{' || json.Unmarshal(body, &l) != nil {
		return answer{}, nil, notAList()
	}
	resources := bytes.TrimSpace(l.Resources)
	a := answer{total: l.TotalResults.n, next: string(l.NextCursor)}
	var rows []json.RawMessage
	switch {
	case len(resources) == 0 || string(resources) == "null":
		if !l.TotalResults.said {
			return answer{}, nil, notAList()
		}
	case resources[0] == '{':
		rows = []json.RawMessage{resources}
	case resources[0] != '[' || json.Unmarshal(resources, &rows) != nil:
		return answer{}, nil, notAList()
	}
	return a, rows, nil
}

func notAList() error {
	return baton.Errorf(baton.Incomplete, "the answer is not a SCIM list: it has neither totalResults nor Resources").
		WithFix("check the SCIM URL; it ends above /Users")
}

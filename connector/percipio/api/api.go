// Package api is a client of the Percipio API of Skillsoft: user-management v1, content-discovery v1 and v2,
// and reporting v1.
//
// The API's documentation is only available behind a login. This package relies on Skillsoft's public client
// code and on customers' recordings, and reads leniently: totals and paging handles in headers are optional,
// dates and numbers may have any form, and the case of a status does not matter.
//
// Lists are bare JSON arrays, paged by an offset over rows. Package paging decides when a list is complete.
package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"baton"
	"baton/connector/paging"
	"baton/connector/rest"
	"baton/internal/jsonscan"
)

// The three parts of the API. A service account has a permission for each.
const (
	userManagement   = "user-management"
	contentDiscovery = "content-discovery"
	reporting        = "reporting"
)

// maxPage is the largest page size, and the default of the lists.
const maxPage = 1000

// Client calls the API for one organisation. It is safe for concurrent use. Its errors are
// *baton.Error of the kinds that package rest assigns, and Incomplete for a list that cannot
// be proved complete, and for a 404.
type Client struct {
	rest         *rest.Client
	pages        paging.Server
	organization string
}

// QueryParameters returns the query parameters of the API, which the base URL must not set.
func QueryParameters() []string {
	return []string{"offset", "max", "pagingRequestId", "updatedSince", "transformName", "q", "localeCode", "typeFilter", "modality"}
}

// New returns a client. It sends nothing. The base URL of the rest client is that of the region, such as
// https://api.percipio.com.
func New(client *rest.Client, organizationID string) *Client {
	return &Client{rest: client, organization: organizationID,
		pages: paging.Server{Rows: maxPage, Start: "offset", LargeRow: "Show this line to Skillsoft support."}}
}

func (c *Client) path(part, version string, segments ...string) string {
	return rest.Join(append([]string{part, version, "organizations", c.organization}, segments...)...)
}

// get decodes a response as it arrives. decode is called again if the request is repeated.
func (c *Client) get(ctx context.Context, path string, query url.Values, canShrink bool, decode func(http.Header, *jsonscan.Scanner) error) error {
	_, err := patiently(ctx, func() (struct{}, error) {
		return struct{}{}, c.rest.Decode(ctx, rest.Request{Path: path, Query: query, CanShrink: canShrink}, decode)
	})
	return err
}

// errNoAnswer is in the chain of the error for a 2xx response without a usable body.
var errNoAnswer = errors.New("the answer does not fit the request")

// patiently repeats a request whose response did not come from the API: proxies sometimes send a web page
// with status 200, and load balancers send a 404 while the API restarts.
func patiently[T any](ctx context.Context, ask func() (T, error)) (T, error) {
	for n := 0; ; n++ {
		answer, err := ask()
		if n == 2 || !errors.Is(err, rest.ErrHTML) && !errors.Is(err, errNoAnswer) && !strayNotFound(err) {
			return answer, err
		}
		select {
		case <-time.After(2 * time.Second):
		case <-ctx.Done():
			return answer, ctx.Err()
		}
	}
}

// strayNotFound reports whether err is a 404 or 410 that is not from the API, which sends a JSON object.
func strayNotFound(err error) bool {
	var status *rest.StatusError
	if !errors.As(err, &status) || status.Status != http.StatusNotFound && status.Status != http.StatusGone {
		return false
	}
	body := bytes.TrimSpace(status.Body)
	return len(body) == 0 || body[0] != '{' || !json.Valid(body)
}

// Check is the result of requesting one row of the list of users, or of the catalogue: the total number of
// rows. HasTotal is false if the API sends no total.
type Check struct {
	Rows     int
	Total    int
	HasTotal bool
}

// CheckUsers requests one user.
func (c *Client) CheckUsers(ctx context.Context) (Check, error) {
	check, err := c.check(ctx, c.path(userManagement, "v1", "users"))
	return check, explain("list users", userManagement, err)
}

// CheckCatalog requests one item of the catalogue.
func (c *Client) CheckCatalog(ctx context.Context) (Check, error) {
	check, err := c.check(ctx, c.path(contentDiscovery, "v2", "catalog-content"))
	return check, explain("list the catalogue", contentDiscovery, err)
}

func (c *Client) check(ctx context.Context, path string) (Check, error) {
	var check Check
	err := c.get(ctx, path, url.Values{"offset": {"0"}, "max": {"1"}}, false, func(h http.Header, s *jsonscan.Scanner) error {
		check = Check{}
		check.Total, check.HasTotal = totalOf(h)
		return readRows(s, func() {
			check.Rows++
			s.Skip()
		})
	})
	if err != nil {
		return Check{}, err
	}
	return check, nil
}

// CheckReports polls a report that does not exist. The API answers 403 to a token that may not read reports,
// and 404 to others. No report is requested. known is false if the response did not come from the API.
func (c *Client) CheckReports(ctx context.Context) (known bool, err error) {
	err = c.get(ctx, c.path(reporting, "v1", "report-requests", "00000000-0000-0000-0000-000000000000"), nil, false, func(_ http.Header, s *jsonscan.Scanner) error {
		if !s.Empty() {
			s.Skip()
		}
		return nil
	})
	switch statusOf(err) {
	case http.StatusNotFound, http.StatusGone:
		return !strayNotFound(err), nil
	case http.StatusBadRequest:
		return true, nil
	}
	return err == nil, explain("look for a report", reporting, err)
}

// explain adds the operation to an error, and advice where a Percipio administrator needs more than package
// rest says.
func explain(doing, part string, err error) error {
	if err == nil {
		return nil
	}
	e := baton.Errorf(baton.KindOf(err), "percipio: %s: %w", doing, err)
	if e.Kind == baton.NotFound {
		e.Kind = baton.Incomplete // a 404 does not prove that anything is gone
	}
	switch {
	case errors.Is(err, rest.ErrHTML):
		return e.WithFix("Try again later; if it keeps failing, check region and base-url: they lead to a web page, or something between here and Percipio answered, such as a proxy, a firewall or a login page.")
	case errors.Is(err, rest.ErrAddress): // nobody was asked, so it is not about the token
	case e.Kind == baton.Unauthenticated:
		return e.WithFix("Check the API token; it may have expired, or the service account may have been deactivated.")
	case e.Kind == baton.PermissionDenied:
		return e.WithFix("Give the service account the permission for the %s API, and check that organization-id is its own organisation.", part)
	case statusOf(err) == http.StatusNotFound:
		return e.WithFix("Check organization-id, and region: European organisations need region eu.")
	case baton.FixOf(err) != "":
	case e.Kind == baton.Incomplete:
		return e.WithFix("Try again; if it keeps failing, show this line to Skillsoft support.")
	case e.Kind == baton.Unavailable || e.Kind == baton.RateLimited:
		return e.WithFix("Try again later; what was read so far is kept.")
	case e.Kind == baton.Invalid:
		return e.WithFix("Check organization-id, region and base-url.")
	}
	return e
}

func statusOf(err error) int {
	var status *rest.StatusError
	if errors.As(err, &status) {
		return status.Status
	}
	return 0
}

// totalOf returns the total number of rows, if the response has it.
func totalOf(h http.Header) (int, bool) {
	n, err := strconv.Atoi(h.Get("X-Total-Count"))
	return n, err == nil && n >= 0
}

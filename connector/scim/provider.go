package scim

import (
	"cmp"
	"context"

	"baton"
	"baton/internal/jsonscan"
)

// ProviderConfig holds the capabilities that a server announces (RFC 7643 section 5, RFC 9865). They are
// hints: servers announce too little and too much. Nil and zero mean absent.
type ProviderConfig struct {
	DocumentationURI string
	Patch            *bool
	Bulk             *bool
	Filter           *bool
	FilterMaxResults int
	ChangePassword   *bool
	Sort             *bool
	ETag             *bool
	// Pagination of RFC 9865.
	CursorPaging    *bool
	IndexPaging     *bool
	DefaultPaging   string // "cursor" or "index"
	DefaultPageSize int
	MaxPageSize     int
	CursorTimeout   int      // seconds
	Authentication  []string // types or names of the schemes
}

// ServiceProviderConfig reads the capabilities that the server announces. Many servers have no such endpoint,
// or answer with something else: callers should ignore errors.
func (c *Client) ServiceProviderConfig(ctx context.Context) (ProviderConfig, error) {
	var p ProviderConfig
	err := c.get(ctx, "/ServiceProviderConfig", nil, false, func(s *jsonscan.Scanner) error {
		if !isObject(s) {
			return baton.Errorf(baton.Unsupported, "the answer is not a JSON object")
		}
		p = readProvider(s)
		return nil
	})
	return p, explain("read service provider config", err)
}

func readProvider(s *jsonscan.Scanner) (p ProviderConfig) {
	each(s, func(name []byte) {
		switch string(name) {
		case "documentationuri":
			text(s, &p.DocumentationURI)
		case "patch":
			feature(s, &p.Patch, nil)
		case "bulk":
			feature(s, &p.Bulk, nil)
		case "filter":
			feature(s, &p.Filter, &p.FilterMaxResults)
		case "changepassword":
			feature(s, &p.ChangePassword, nil)
		case "sort":
			feature(s, &p.Sort, nil)
		case "etag":
			feature(s, &p.ETag, nil)
		case "pagination":
			pagination(s, &p)
		case "authenticationschemes":
			list(s, func() { scheme(s, &p) })
		default:
			s.Skip()
		}
	})
	return p
}

func feature(s *jsonscan.Scanner, supported **bool, maxResults *int) {
	each(s, func(name []byte) {
		switch {
		case string(name) == "supported":
			flag(s, supported)
		case string(name) == "maxresults" && maxResults != nil:
			number(s, maxResults)
		default:
			s.Skip()
		}
	})
}

func pagination(s *jsonscan.Scanner, p *ProviderConfig) {
	each(s, func(name []byte) {
		switch string(name) {
		case "cursor":
			flag(s, &p.CursorPaging)
		case "index":
			flag(s, &p.IndexPaging)
		case "defaultpaginationmethod":
			text(s, &p.DefaultPaging)
		case "defaultpagesize":
			number(s, &p.DefaultPageSize)
		case "maxpagesize":
			number(s, &p.MaxPageSize)
		case "cursortimeout":
			number(s, &p.CursorTimeout)
		default:
			s.Skip()
		}
	})
}

func scheme(s *jsonscan.Scanner, p *ProviderConfig) {
	var kind, title string
	each(s, func(name []byte) {
		switch string(name) {
		case "type":
			text(s, &kind)
		case "name":
			text(s, &title)
		default:
			s.Skip()
		}
	})
	if name := cmp.Or(kind, title); name != "" {
		p.Authentication = append(p.Authentication, name)
	}
}

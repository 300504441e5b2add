package scim

import (
	"bytes"
	"context"
	"encoding/json"

	"baton"
)

// ProviderConfig is what a server says of itself (RFC 7643 section 5, RFC 9865).
// It is a hint: servers understate and overstate. Nil and zero mean not said.
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

// ServiceProviderConfig reads what the server says of itself. Many servers say
// nothing, or something else: its errors are no reason to stop.
func (c *Client) ServiceProviderConfig(ctx context.Context) (ProviderConfig, error) {
	const doing = "read service provider config"
	resp, err := c.get(ctx, "/ServiceProviderConfig", nil, false)
	if err != nil {
		return ProviderConfig{}, explain(doing, err)
	}
	type feature struct {
		Supported  flag   `json:"supported"`
		MaxResults number `json:"maxResults"`
	}
	var w struct {
		DocumentationURI text            `json:"documentationUri"`
		Patch            object[feature] `json:"patch"`
		Bulk             object[feature] `json:"bulk"`
		Filter           object[feature] `json:"filter"`
		ChangePassword   object[feature] `json:"changePassword"`
		Sort             object[feature] `json:"sort"`
		ETag             object[feature] `json:"etag"`
		Pagination       object[struct {
			Cursor          flag   `json:"cursor"`
			Index           flag   `json:"index"`
			Default         text   `json:"defaultPaginationMethod"`
			DefaultPageSize number `json:"defaultPageSize"`
			MaxPageSize     number `json:"maxPageSize"`
			CursorTimeout   number `json:"cursorTimeout"`
		}] `json:"pagination"`
		Schemes list[object[struct {
			Type text `json:"type"`
			Name text `json:"name"`
		}]] `json:"authenticationSchemes"`
	}
	body := bytes.TrimSpace(resp.Body)
	if len(body) == 0 || body[0] != '{' || json.Unmarshal(body, &w) != nil {
		return ProviderConfig{}, explain(doing, baton.Errorf(baton.Unsupported, "the answer is not a JSON object"))
	}
	p := w.Pagination.v
	config := ProviderConfig{
		DocumentationURI: string(w.DocumentationURI),
		Patch:            w.Patch.v.Supported.pointer(),
		Bulk:             w.Bulk.v.Supported.pointer(),
		Filter:           w.Filter.v.Supported.pointer(),
		FilterMaxResults: w.Filter.v.MaxResults.n,
		ChangePassword:   w.ChangePassword.v.Supported.pointer(),
		Sort:             w.Sort.v.Supported.pointer(),
		ETag:             w.ETag.v.Supported.pointer(),
		CursorPaging:     p.Cursor.pointer(),
		IndexPaging:      p.Index.pointer(),
		DefaultPaging:    string(p.Default),
		DefaultPageSize:  p.DefaultPageSize.n,
		MaxPageSize:      p.MaxPageSize.n,
		CursorTimeout:    p.CursorTimeout.n,
	}
	for _, s := range w.Schemes.items {
		if name := firstOf(s.v.Type, s.v.Name); name != "" {
			config.Authentication = append(config.Authentication, name)
		}
	}
	return config, nil
}

func firstOf(a, b text) string {
	if a != "" {
		return string(a)
	}
	return string(b)
}

package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"baton/jsonscan"
)

// Item is something in the catalogue. Texts are empty when the API has none; dates
// are as [Date] has them.
type Item struct {
	ID, Code, Link  string
	Type            string // COURSE, ASSESSMENT, VIDEO, BOOK and the like
	Status          string // ACTIVE or INACTIVE
	Duration        string // ISO 8601, PT15M
	Published       string
	LastUpdated     string
	PlannedToRetire string
	Retired         string
	Locales         []string
	Levels          []string
	Titles          []Title
}

// Title is the name of an item in one language.
type Title struct{ Locale, Title, Description string }

func readItem(s *jsonscan.Scanner) (it Item) {
	object(s, func(name []byte) {
		switch string(name) {
		case "id":
			it.ID = text(s)
		case "code":
			it.Code = text(s)
		case "link":
			it.Link = text(s)
		case "duration":
			it.Duration = text(s)
		case "localecodes":
			it.Locales = texts(s)
		case "expertiselevels":
			it.Levels = texts(s)
		case "contenttype":
			object(s, func(name []byte) {
				if string(name) == "percipiotype" {
					it.Type = text(s)
				} else {
					s.Skip()
				}
			})
		case "lifecycle":
			readLifecycle(s, &it)
		case "localizedmetadata":
			var all []Title
			if elements(s, func() { all = append(all, readTitle(s)) }) {
				it.Titles = all
			}
		default:
			s.Skip()
		}
	})
	return it
}

func readLifecycle(s *jsonscan.Scanner, it *Item) {
	object(s, func(name []byte) {
		switch string(name) {
		case "status":
			it.Status = text(s)
		case "publishdate":
			it.Published = Date(text(s))
		case "lastupdateddate":
			it.LastUpdated = Date(text(s))
		case "plannedretirementdate":
			it.PlannedToRetire = Date(text(s))
		case "retireddate":
			it.Retired = Date(text(s))
		default:
			s.Skip()
		}
	})
}

func readTitle(s *jsonscan.Scanner) (t Title) {
	object(s, func(name []byte) {
		switch string(name) {
		case "localecode":
			t.Locale = text(s)
		case "title":
			t.Title = text(s)
		case "description":
			t.Description = text(s)
		default:
			s.Skip()
		}
	})
	return t
}

// ListCatalog reads one page of the catalogue, as ListUsers does accounts.
func (c *Client) ListCatalog(ctx context.Context, at Position, sink Sink[Item]) (ListStep, error) {
	l := listing[Item]{path: c.path(contentDiscovery, "v2", "catalog-content"), read: readItem, id: func(it Item) string { return it.ID }, sink: sink}
	step, err := listPage(ctx, c, l, at)
	return step, explain("list the catalogue", contentDiscovery, err)
}

// FindItem searches for the item with that id. Not finding one proves nothing: the
// search is a full-text search in one language. The catalogue knows.
func (c *Client) FindItem(ctx context.Context, id string) (it Item, found bool, err error) {
	query := url.Values{"q": {id}, "localeCode": {"en"}, "offset": {"0"}, "max": {strconv.Itoa(maxPage)}}
	err = c.get(ctx, c.path(contentDiscovery, "v1", "search-content"), query, func(_ http.Header, s *jsonscan.Scanner) error {
		it, found = Item{}, false
		return readRows(s, func() {
			if row := readItem(s); row.ID == id && !found {
				it, found = row, true
			}
		})
	})
	if err != nil {
		return Item{}, false, explain("search for "+strconv.Quote(id), contentDiscovery, err)
	}
	return it, found, nil
}

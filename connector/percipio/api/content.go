package api

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"baton/connector/paging"
	"baton/internal/jsonscan"
)

// Item is an item of the catalogue. Missing texts are empty. Dates have the form that [Date] returns.
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

// itemReader reads items, one after the other.
type itemReader struct {
	s                            *jsonscan.Scanner
	item, kind, lifecycle, title *jsonscan.Names
}

// The fields of an item, of its life cycle and of a title.
const (
	itemID = iota
	itemCode
	itemLink
	itemDuration
	itemLocales
	itemLevels
	itemType
	itemLifecycle
	itemTitles
)

const (
	cycleStatus = iota
	cyclePublished
	cycleLastUpdated
	cyclePlannedToRetire
	cycleRetired
)

const (
	titleLocale = iota
	titleTitle
	titleDescription
)

func readItems(s *jsonscan.Scanner) func() Item {
	r := &itemReader{
		s: s,
		item: jsonscan.NewFolded([]string{
			itemID: "id", itemCode: "code", itemLink: "link", itemDuration: "duration", itemLocales: "localecodes", itemLevels: "expertiselevels",
			itemType: "contenttype", itemLifecycle: "lifecycle", itemTitles: "localizedmetadata",
		}),
		kind: jsonscan.NewFolded([]string{"percipiotype"}),
		lifecycle: jsonscan.NewFolded([]string{
			cycleStatus: "status", cyclePublished: "publishdate", cycleLastUpdated: "lastupdateddate",
			cyclePlannedToRetire: "plannedretirementdate", cycleRetired: "retireddate",
		}),
		title: jsonscan.NewFolded([]string{titleLocale: "localecode", titleTitle: "title", titleDescription: "description"}),
	}
	return r.read
}

func (r *itemReader) read() (it Item) {
	s := r.s
	if !isObject(s) {
		return it
	}
	for s.Object(); s.Known(r.item); {
		switch r.item.Field {
		case itemID:
			it.ID = text(s)
		case itemCode:
			it.Code = text(s)
		case itemLink:
			it.Link = text(s)
		case itemDuration:
			it.Duration = text(s)
		case itemLocales:
			it.Locales = texts(s)
		case itemLevels:
			it.Levels = texts(s)
		case itemType:
			if s.Kind() == '"' {
				it.Type = text(s)
			} else if isObject(s) {
				for s.Object(); s.Known(r.kind); {
					it.Type = text(s)
				}
			}
		case itemLifecycle:
			if s.Kind() == '"' {
				it.Status = text(s)
			} else {
				r.readLifecycle(&it)
			}
		case itemTitles:
			if isList(s) {
				it.Titles = r.readTitles()
			}
		}
	}
	return it
}

func (r *itemReader) readLifecycle(it *Item) {
	s := r.s
	if !isObject(s) {
		return
	}
	for s.Object(); s.Known(r.lifecycle); {
		switch r.lifecycle.Field {
		case cycleStatus:
			it.Status = text(s)
		case cyclePublished:
			it.Published = Date(text(s))
		case cycleLastUpdated:
			it.LastUpdated = Date(text(s))
		case cyclePlannedToRetire:
			it.PlannedToRetire = Date(text(s))
		case cycleRetired:
			it.Retired = Date(text(s))
		}
	}
}

func (r *itemReader) readTitles() (all []Title) {
	s := r.s
	for s.Array(); s.Element(); {
		var t Title
		if isObject(s) {
			for s.Object(); s.Known(r.title); {
				switch r.title.Field {
				case titleLocale:
					t.Locale = text(s)
				case titleTitle:
					t.Title = text(s)
				case titleDescription:
					t.Description = text(s)
				}
			}
		}
		all = append(all, t)
	}
	return all
}

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// SameID reports whether two ids are equal, or UUIDs that differ only in case.
func SameID(a, b string) bool { return a == b || strings.EqualFold(a, b) && uuid.MatchString(a) }

// ListCatalog reads one page of the catalogue, as ListUsers reads accounts.
func (c *Client) ListCatalog(ctx context.Context, at paging.Position, sink paging.Sink[Item]) (paging.Step, error) {
	l := listing[Item]{path: c.path(contentDiscovery, "v2", "catalog-content"), rows: readItems, id: func(it Item) string { return it.ID }, sink: sink}
	step, err := listPage(ctx, c, l, at)
	return step, explain("list the catalogue", contentDiscovery, err)
}

// FindItem searches for the item with that id, in any spelling that [SameID] accepts. A miss proves nothing,
// because this is a full-text search in one language. Only the whole catalogue is proof.
func (c *Client) FindItem(ctx context.Context, id string) (it Item, found bool, err error) {
	_, err = c.pages.Read(ctx, paging.Position{}, true, func(ask paging.Ask) (rows int, err error) {
		query := url.Values{"q": {id}, "localeCode": {"en"}, "offset": {"0"}, "max": {strconv.Itoa(ask.Count)}}
		err = c.get(ctx, c.path(contentDiscovery, "v1", "search-content"), query, ask.CanShrink(), func(_ http.Header, s *jsonscan.Scanner) error {
			it, found, rows = Item{}, false, 0
			read := readItems(s)
			return readRows(s, func() {
				rows++
				if row := read(); SameID(row.ID, id) && (!found || row.ID == id) {
					it, found = row, true
				}
			})
		})
		return rows, err
	})
	if err != nil {
		return Item{}, false, explain("search for "+strconv.Quote(id), contentDiscovery, err)
	}
	return it, found, nil
}

package api

import (
	"context"
	"net/url"
	"strconv"
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

type itemRow struct {
	ID              text  `json:"id"`
	Code            text  `json:"code"`
	Link            text  `json:"link"`
	Duration        text  `json:"duration"`
	LocaleCodes     texts `json:"localeCodes"`
	ExpertiseLevels texts `json:"expertiseLevels"`
	ContentType     object[struct {
		PercipioType text `json:"percipioType"`
	}] `json:"contentType"`
	Lifecycle object[struct {
		Status                text `json:"status"`
		PublishDate           text `json:"publishDate"`
		LastUpdatedDate       text `json:"lastUpdatedDate"`
		PlannedRetirementDate text `json:"plannedRetirementDate"`
		RetiredDate           text `json:"retiredDate"`
	}] `json:"lifecycle"`
	LocalizedMetadata objects[struct {
		LocaleCode  text `json:"localeCode"`
		Title       text `json:"title"`
		Description text `json:"description"`
	}] `json:"localizedMetadata"`
}

func (r itemRow) item() Item {
	life := r.Lifecycle.v
	it := Item{
		ID: string(r.ID), Code: string(r.Code), Link: string(r.Link), Duration: string(r.Duration),
		Type: string(r.ContentType.v.PercipioType), Status: string(life.Status),
		Published: Date(string(life.PublishDate)), LastUpdated: Date(string(life.LastUpdatedDate)),
		PlannedToRetire: Date(string(life.PlannedRetirementDate)), Retired: Date(string(life.RetiredDate)),
		Locales: r.LocaleCodes, Levels: r.ExpertiseLevels,
	}
	for _, m := range r.LocalizedMetadata {
		it.Titles = append(it.Titles, Title{Locale: string(m.v.LocaleCode), Title: string(m.v.Title), Description: string(m.v.Description)})
	}
	return it
}

func itemID(it Item) string { return it.ID }

// ListCatalog reads one page of the catalogue, as ListUsers does accounts.
func (c *Client) ListCatalog(ctx context.Context, at Position, seen func(id string) bool, each func(Item)) (ListStep, error) {
	l := listing[Item]{path: c.path(contentDiscovery, "v2", "catalog-content"), id: itemID, seen: seen, each: each}
	step, err := listPage(ctx, c, l, at, itemRow.item)
	return step, explain("list the catalogue", contentDiscovery, err)
}

// FindItem searches for the item with that id. Not finding one proves nothing: the
// search is a full-text search in one language. The catalogue knows.
func (c *Client) FindItem(ctx context.Context, id string) (it Item, found bool, err error) {
	query := url.Values{"q": {id}, "localeCode": {"en"}, "offset": {"0"}, "max": {strconv.Itoa(maxPage)}}
	resp, err := c.get(ctx, c.path(contentDiscovery, "v1", "search-content"), query)
	if err != nil {
		return Item{}, false, explain("search for "+strconv.Quote(id), contentDiscovery, err)
	}
	var rows []object[itemRow]
	if err := decodeRows(resp.Body, &rows); err != nil {
		return Item{}, false, explain("search for "+strconv.Quote(id), contentDiscovery, err)
	}
	for _, row := range rows {
		if string(row.v.ID) == id {
			return row.v.item(), true, nil
		}
	}
	return Item{}, false, nil
}

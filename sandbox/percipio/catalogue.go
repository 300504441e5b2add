package percipio

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// content is an item of the catalogue in the form of the API.
type content struct {
	ID                string          `json:"id"`
	Code              *string         `json:"code"`
	XapiActivityID    *string         `json:"xapiActivityId"`
	ContentType       contentType     `json:"contentType"`
	LocaleCodes       []string        `json:"localeCodes"`
	LocalizedMetadata []localized     `json:"localizedMetadata"`
	Lifecycle         lifecycle       `json:"lifecycle"`
	Link              *string         `json:"link"`
	ImageURL          *string         `json:"imageUrl"`
	AlternateImageURL *string         `json:"alternateImageUrl"`
	Keywords          []string        `json:"keywords"`
	Duration          *string         `json:"duration"`
	By                []string        `json:"by"`
	Publication       publication     `json:"publication"`
	Credentials       credentials     `json:"credentials"`
	ExpertiseLevels   []string        `json:"expertiseLevels"`
	Modalities        []string        `json:"modalities"`
	Technologies      []string        `json:"technologies"`
	Associations      associations    `json:"associations"`
	Characteristics   characteristics `json:"characteristics"`
}

type contentType struct {
	PercipioType string  `json:"percipioType"`
	Category     *string `json:"category"`
	DisplayLabel string  `json:"displayLabel"`
	Source       *string `json:"source"`
}

type localized struct {
	LocaleCode  string  `json:"localeCode"`
	Title       string  `json:"title"`
	Description *string `json:"description"`
}

type lifecycle struct {
	Status                string  `json:"status"`
	PublishDate           *string `json:"publishDate"`
	LastUpdatedDate       *string `json:"lastUpdatedDate"`
	PlannedRetirementDate *string `json:"plannedRetirementDate"`
	RetiredDate           *string `json:"retiredDate"`
}

type publication struct {
	CopyrightYear *string `json:"copyrightYear"`
	ISBN          *string `json:"isbn"`
	Publisher     *string `json:"publisher"`
}

type credentials struct {
	CPECredits *float64 `json:"cpeCredits"`
	NASBAReady bool     `json:"nasbaReady"`
	PDUCredits *float64 `json:"pduCredits"`
}

type associations struct {
	Areas              []string `json:"areas"`
	Subjects           []string `json:"subjects"`
	Channels           []string `json:"channels"`
	Parent             *string  `json:"parent"`
	TranslationGroupID *string  `json:"translationGroupId"`
}

type characteristics struct {
	EarnsBadge    bool  `json:"earnsBadge"`
	HasAssessment bool  `json:"hasAssessment"`
	IsCompliance  *bool `json:"isCompliance"`
}

// listCatalogue answers GET catalog-content. The first answer has the id of a frozen result set, which
// requests for later pages repeat.
func (x *exchange) listCatalogue() *answer {
	offset, count, a := x.page(maxPage)
	if a != nil {
		return a
	}
	since, a := x.since()
	if a != nil {
		return a
	}
	s, org, id := x.s, x.s.org, strings.ToLower(x.query.Get("pagingRequestId"))
	if id != "" {
		if org = s.frozen[id]; org == nil || s.faults.First("stale-paging-id") {
			delete(s.frozen, id)
			return fail(400, "pagingRequestId %q is unknown or has expired", id)
		}
	} else {
		s.listings++
		id = identifier(s.opts.Seed, kindPaging, uint64(s.listings))
		s.frozen[id] = org
	}
	all := org.shelf
	if !since.IsZero() {
		all = slices.DeleteFunc(slices.Clone(all), func(n int32) bool { return org.items[n].updated.Before(since) })
	}
	shown := cut(all, offset, count)
	if len(shown) > 0 && s.faults.Every("empty-page") {
		shown = nil
	}
	list := make([]*content, len(shown))
	for i, n := range shown {
		list[i] = x.content(org.items[n])
	}
	a = jsonAnswer(http.StatusOK, list)
	x.total(a, len(all))
	if !s.faults.On("no-paging-id") {
		a.header.Set("X-Paging-Request-Id", id)
	}
	x.link(a, id, offset, count, len(all))
	return a
}

// link adds the link header (RFC 8288).
func (x *exchange) link(a *answer, id string, offset, count, total int) {
	if x.s.faults.On("no-link") {
		return
	}
	base := "http://" + x.r.Host + x.r.URL.Path
	if x.r.TLS != nil {
		base = "https" + strings.TrimPrefix(base, "http")
	}
	odd := x.s.faults.On("odd-link")
	if odd {
		base = x.r.URL.Path
	}
	target := func(relation string, to int) string {
		q := url.Values{"max": {strconv.Itoa(count)}, "offset": {strconv.Itoa(to)}, "pagingRequestId": {id}}
		if odd {
			return fmt.Sprintf("<%s?%s>;title=\"page, %d\"; REL=%s", base, q.Encode(), to, relation)
		}
		return fmt.Sprintf(`<%s?%s>; rel="%s"`, base, q.Encode(), relation)
	}
	last := max(0, total-1) / count * count
	links := []string{target("first", 0), target("last", last)}
	if offset+count < total {
		links = append(links, target("next", offset+count))
	}
	if offset > 0 {
		links = append(links, target("prev", max(0, offset-count)))
	}
	a.header.Set("Link", strings.Join(links, ", "))
}

// defaultSearchPage is the default page size of a search.
const defaultSearchPage = 25

// search answers GET search-content: items whose id or code is the query, then items with all its words in
// the title.
func (x *exchange) search() *answer {
	s := x.s
	offset, count, a := x.page(defaultSearchPage)
	q := strings.ToLower(strings.TrimSpace(x.query.Get("q")))
	switch {
	case a != nil:
		return a
	case q == "":
		return fail(400, "q is required")
	case s.faults.Every("search-fail"):
		return fail(500, "the search failed")
	case s.faults.Every("search-429"):
		return throttled("")
	}
	// Both spellings of a list parameter are in use.
	types := strings.Split(strings.Join(append(x.query["typeFilter[]"], x.query["typeFilter"]...), ","), ",")
	language, _, _ := strings.Cut(x.query.Get("localeCode"), "-")
	if language == "" {
		language = "en"
	}
	var exact, found []*item
	for _, n := range s.org.shelf {
		c := s.org.items[n]
		if c.retired || types[0] != "" && !slices.Contains(types, c.kind.name) ||
			s.faults.On("search-locale") && !strings.EqualFold(language, c.locale[:2]) {
			continue
		}
		if c.id == q || strings.ToLower(c.code) == q {
			exact = append(exact, c)
		} else if title := strings.ToLower(c.title); !slices.ContainsFunc(strings.Fields(q), func(w string) bool { return !strings.Contains(title, w) }) {
			found = append(found, c)
		}
	}
	found = append(exact, found...)
	if s.faults.On("search-crowded") {
		found = append(crowd(s.opts.Seed), found...)
	}
	list := []*content{}
	for _, c := range cut(found, offset, count) {
		list = append(list, x.content(c))
	}
	a = jsonAnswer(http.StatusOK, list)
	x.total(a, len(found))
	return a
}

// crowd returns items that a search ranks before the intended one.
func crowd(seed uint64) []*item {
	all := make([]*item, 30)
	for i := range all {
		all[i] = &item{id: identifier(seed, kindCrowd, uint64(i)), code: "crowd_" + strconv.Itoa(i), title: "Popular Course " + strconv.Itoa(i+1),
			locale: "en-US", kind: contentKinds()[0], made: founded(), updated: founded()}
	}
	return all
}

func (x *exchange) content(c *item) *content {
	id, kind := c.id, c.kind
	v := &content{ID: id, Code: optional(c.code), XapiActivityID: optional("https://xapi.acme.example/xapi/" + kind.path + "/" + id),
		ContentType:       contentType{PercipioType: kind.name, Category: optional(kind.name), DisplayLabel: kind.row},
		LocaleCodes:       []string{c.locale},
		LocalizedMetadata: []localized{{c.locale, c.title, optional("What you need to know about " + c.title + ", with examples and exercises.")}},
		Lifecycle:         lifecycle{Status: "ACTIVE", PublishDate: x.date(c.made, c.number), LastUpdatedDate: x.date(c.updated, c.number+1)},
		Link:              optional("https://share.acme.example/cd/" + id[:8]), ImageURL: optional("https://images.acme.example/" + id + ".jpg"),
		Keywords: []string{}, Duration: optional(fmt.Sprintf("PT%dM", 10+c.noise%110)), By: []string{}, ExpertiseLevels: []string{"BEGINNER"},
		Modalities: []string{kind.modality}, Technologies: []string{}, Associations: associations{[]string{}, []string{}, []string{}, nil, nil},
		Characteristics: characteristics{EarnsBadge: c.noise%2 == 0, HasAssessment: kind.name == "COURSE" && c.noise%3 > 0}}
	if c.locale[:2] != "en" && c.noise%2 == 0 { // translated, with both titles
		v.LocalizedMetadata = append(v.LocalizedMetadata, localized{"en-US", c.title, nil})
	}
	if c.retired {
		v.Lifecycle.Status, v.Lifecycle.RetiredDate = "INACTIVE", x.date(c.updated, c.number+2)
	}
	if x.s.faults.On("null-values") {
		v.ContentType.Category, v.Lifecycle.LastUpdatedDate, v.LocaleCodes, v.Keywords = nil, nil, nil, nil
		switch c.number % 4 {
		case 0:
			v.Code, v.Link = nil, nil
		case 1:
			v.LocalizedMetadata = nil
		case 2:
			v.Lifecycle.PublishDate, v.Duration = nil, nil
		}
	}
	return v
}

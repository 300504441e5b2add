package percipio

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"baton"
	"baton/connector/paging"
	"baton/connector/percipio/api"
)

// nextCourses reads one page of the catalogue, or searches for one of the limited courses.
func (c *connector) nextCourses(ctx context.Context, at baton.Cursor, page baton.Page) (baton.Step, error) {
	if len(c.limited) > 0 {
		return c.nextLimited(ctx, at, page)
	}
	pos, err := paging.ParsePosition(string(at))
	if err != nil {
		return baton.Step{}, err
	}
	step, err := c.api.ListCatalog(ctx, pos, paging.Sink[api.Item]{
		Seen: func(id string) bool { return page.Seen(courseResource(id)) },
		Row:  func(it api.Item) { c.addCourse(page, it) },
		Void: page.Void,
	})
	if err != nil {
		return baton.Step{}, err
	}
	return baton.Step{Cursor: baton.Cursor(step.Next.String()), Done: step.Done, Restart: step.Restart}, nil
}

// limitedCursor is the position of the feed in Config.LimitedCourses.
type limitedCursor struct {
	Next   int   `json:"next"`             // number of courses searched for so far
	Absent []int `json:"absent,omitempty"` // indexes of courses that the search did not find
}

// nextLimited searches for one course per page. A course that the search does not find may still exist, so
// the last page looks for it in the whole catalogue.
func (c *connector) nextLimited(ctx context.Context, at baton.Cursor, page baton.Page) (baton.Step, error) {
	ids := c.cfg.LimitedCourses
	var cur limitedCursor
	if at != "" {
		if err := json.Unmarshal([]byte(at), &cur); err != nil || cur.Next < 0 || cur.Next > len(ids) ||
			slices.ContainsFunc(cur.Absent, func(i int) bool { return i < 0 || i >= cur.Next }) {
			return baton.Step{}, corrupt("course list")
		}
	}
	page.Expect(len(ids))
	if cur.Next == len(ids) {
		return baton.Step{Done: true, Cursor: at}, c.findInCatalog(ctx, cur.Absent, page)
	}
	it, found, err := c.api.FindItem(ctx, ids[cur.Next])
	if err != nil {
		return baton.Step{}, err
	}
	if found {
		c.addCourse(page, it)
	} else {
		cur.Absent = append(cur.Absent, cur.Next)
	}
	cur.Next++
	b, err := json.Marshal(cur)
	return baton.Step{Cursor: baton.Cursor(b), Done: cur.Next == len(ids) && len(cur.Absent) == 0}, err
}

// findInCatalog looks for the courses at those indexes in the whole catalogue. A course that is not in it
// does not exist.
func (c *connector) findInCatalog(ctx context.Context, indexes []int, page baton.Page) error {
	found, seen := map[string]api.Item{}, map[string]bool{}
	var pos paging.Position
	for done := false; !done; {
		var here []api.Item // in this page
		var ids []string    // of all its rows
		step, err := c.api.ListCatalog(ctx, pos, paging.Sink[api.Item]{
			Seen: func(id string) bool { return seen[id] },
			Row: func(it api.Item) {
				ids = append(ids, it.ID)
				if c.isLimited(it.ID) {
					here = append(here, it)
				}
			},
			Void: func() { here, ids = nil, nil },
		})
		if err != nil {
			return err
		}
		if step.Restart {
			clear(found)
			clear(seen)
			here, ids = nil, nil
		}
		for _, id := range ids {
			seen[id] = true
		}
		for _, it := range here {
			found[canonical(it.ID)] = it
		}
		pos, done = step.Next, step.Done
	}
	var missing []string
	for _, i := range indexes {
		id := c.cfg.LimitedCourses[i]
		if it, ok := found[canonical(id)]; ok {
			c.addCourse(page, it)
		} else if missing = append(missing, id); c.cfg.SkipMissing {
			page.Exclude("limited course that does not exist", id)
		}
	}
	if len(missing) == 0 || c.cfg.SkipMissing {
		return nil
	}
	named := strings.Join(missing[:min(len(missing), 5)], ", ")
	if len(missing) > 5 {
		named += fmt.Sprintf(" and %d more", len(missing)-5)
	}
	return baton.Errorf(baton.NotFound, "percipio: limited-courses names what is not in the catalogue: %s", named).
		WithFix("Correct limited-courses; it takes the UUIDs of items. To go on without missing ones, set skip-missing-courses.")
}

// obstacle returns the reason why an item of the catalogue is not synced as a course, and a description of
// the item. The reason is empty if the item is synced.
func (c *connector) obstacle(it api.Item) (reason, item string) {
	limited := ""
	if len(c.limited) > 0 {
		limited = "limited "
	}
	switch {
	case it.ID == "":
		return "content without an id", cmp.Or(it.Code, it.Link)
	case !slices.Contains(c.cfg.ContentTypes, strings.ToUpper(it.Type)):
		return limited + "content of a type that is not synced", strings.TrimSpace(it.Type + " " + it.ID)
	case it.Status != "" && !strings.EqualFold(it.Status, "ACTIVE"):
		return limited + "course that is not active", it.ID
	}
	return "", ""
}

// addCourse writes the item and its entitlements, if it is to be synced.
func (c *connector) addCourse(page baton.Page, it api.Item) {
	if reason, item := c.obstacle(it); reason != "" {
		page.Exclude(reason, item)
		return
	}
	course := courseOf(it)
	page.Resource(course)
	for _, e := range []struct{ slug, name, description string }{
		{completedSlug, "completed", "Has completed %s."},
		{inProgressSlug, "in progress", "Has begun and not completed %s."},
	} {
		page.Entitlement(baton.Entitlement{
			ID:           baton.EntitlementID{Resource: course.ID, Slug: e.slug},
			ResourceName: course.DisplayName,
			DisplayName:  course.DisplayName + ", " + e.name,
			Description:  fmt.Sprintf(e.description, course.DisplayName),
			Purpose:      baton.PurposeAssignment,
			GrantableTo:  []string{userType},
		})
	}
}

func courseOf(it api.Item) baton.Resource {
	title := titleOf(it)
	profile := baton.Profile{"id": it.ID}
	for _, p := range [...]struct{ key, value string }{
		{"content_type", strings.ToUpper(it.Type)},
		{"code", it.Code},
		{"link", it.Link},
		{"status", strings.ToUpper(it.Status)},
		{"duration", it.Duration},
		{"publish_date", it.Published},
		{"last_updated_date", it.LastUpdated},
		{"planned_retirement_date", it.PlannedToRetire},
		{"retired_date", it.Retired},
		{"locale", title.Locale},
	} {
		if p.value != "" {
			profile[p.key] = p.value
		}
	}
	if len(it.Locales) > 0 {
		profile["locales"] = it.Locales
	}
	if len(it.Levels) > 0 {
		profile["expertise_levels"] = it.Levels
	}
	status := baton.StatusUnspecified
	if it.Status != "" {
		status = baton.StatusEnabled
	}
	return baton.Resource{
		ID:          courseResource(it.ID),
		DisplayName: cmp.Or(title.Title, it.Code, it.ID),
		Description: title.Description,
		Status:      status,
		Profile:     profile,
	}
}

// titleOf prefers American English, then any English, then the first title, so that a course keeps its name
// when translations are added.
func titleOf(it api.Item) api.Title {
	rank := func(t api.Title) int {
		locale := strings.ToLower(t.Locale)
		switch {
		case t.Title == "":
			return 3
		case locale == "en-us":
			return 0
		case locale == "en" || strings.HasPrefix(locale, "en-"):
			return 1
		}
		return 2
	}
	if len(it.Titles) == 0 {
		return api.Title{}
	}
	return slices.MinFunc(it.Titles, func(a, b api.Title) int { return rank(a) - rank(b) })
}

func corrupt(what string) error {
	return baton.Errorf(baton.Corrupt, "percipio: not a position in the %s", what).WithFix("Run with --fresh to start over.")
}

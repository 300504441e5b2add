package percipio

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"baton"
	"baton/connector/percipio/api"
	"baton/internal/english"
)

// expiresSoon: a token that expires sooner causes a warning.
const expiresSoon = 14 * 24 * time.Hour

// validate makes the two cheapest calls that need the token: one row of each list. It does not request a
// report to check that permission, because that would keep Percipio busy; the first request of a sync shows
// it.
func (c *connector) validate(ctx context.Context) error {
	if _, err := c.api.CheckUsers(ctx); err != nil {
		return err
	}
	_, err := c.api.CheckCatalog(ctx)
	return err
}

// diagnose checks token, permissions and lists in the order in which a sync uses them.
func (c *connector) diagnose(ctx context.Context, report func(baton.Finding)) {
	for _, f := range tokenFindings(c.cfg.Token, time.Now()) {
		report(f)
	}
	users, err := c.api.CheckUsers(ctx)
	if err != nil {
		report(failure("accounts", err))
		if baton.KindOf(err) != baton.PermissionDenied {
			return // no other request would succeed
		}
	} else {
		report(listed("accounts", users, "Check that organization-id is the organisation that you mean."))
	}
	catalog, err := c.api.CheckCatalog(ctx)
	if err != nil {
		report(failure("courses", err))
	} else {
		report(listed("catalogue", catalog, "Ask Skillsoft which content the organisation has licences for."))
	}
	for _, id := range c.cfg.LimitedCourses {
		it, found, err := c.api.FindItem(ctx, id)
		if err != nil {
			report(failure("limited courses", err))
			break
		} else if !found {
			report(baton.Finding{Check: "limited courses", Level: baton.Warning, Detail: "the search does not find " + id,
				Fix: "A sync will look for it in the whole catalogue; if it is not there either, it fails unless skip-missing-courses is set."})
		} else if reason, item := c.obstacle(it); reason != "" {
			report(baton.Finding{Check: "limited courses", Level: baton.Warning, Detail: item + ": " + reason,
				Fix: "A sync leaves it out, and its progress. Correct limited-courses or content-types, or make it active in Percipio."})
		}
	}
	report(c.reportFinding(ctx))
}

func listed(what string, n api.Check, fix string) baton.Finding {
	switch {
	case n.Rows == 0:
		return baton.Finding{Check: what, Level: baton.Warning, Detail: "there is nothing", Fix: fix}
	case n.HasTotal:
		return baton.Finding{Check: what, Detail: "may be read; it has " + english.Count(n.Total, "row")}
	}
	return baton.Finding{Check: what, Detail: "may be read; the API gives no total"}
}

// reportFinding polls a report that does not exist or, if CheckReport is set, requests one of a single day.
func (c *connector) reportFinding(ctx context.Context) baton.Finding {
	if c.cfg.CheckReport {
		now := time.Now()
		if _, err := c.api.RequestReport(ctx, api.ReportRequest{Start: now.AddDate(0, 0, -1), End: now, ContentTypes: []string{"Course"}}); err != nil {
			return failure("report", err)
		}
		return baton.Finding{Check: "report", Detail: "may be requested; a report of one day was requested"}
	}
	known, err := c.api.CheckReports(ctx)
	switch {
	case err != nil:
		return failure("report", err)
	case !known:
		return baton.Finding{Check: "report", Level: baton.Warning, Detail: "unknown: the answer to a poll of a report that does not exist did not come from Percipio's API",
			Fix: "Try again later, or with --check-report, which requests a report of one day."}
	}
	return baton.Finding{Check: "report", Detail: "may be read; none was requested, see check-report"}
}

// tokenFindings reads the claims of the token without verifying them. It reports nothing about a token that
// is not a JWT or has no expiry.
func tokenFindings(token baton.Secret, now time.Time) []baton.Finding {
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	var claims struct {
		Expires *float64 `json:"exp"`
	}
	if err != nil || json.Unmarshal(payload, &claims) != nil || claims.Expires == nil || *claims.Expires <= 0 || *claims.Expires > 1e11 {
		return nil
	}
	at := time.Unix(int64(*claims.Expires), 0).UTC()
	f := baton.Finding{Check: "token", Detail: "says that it expires on " + at.Format(time.DateOnly)}
	switch left := at.Sub(now); {
	case left <= 0:
		f.Level, f.Detail = baton.Warning, "says that it expired on "+at.Format(time.DateOnly)
	case left < expiresSoon:
		f.Level = baton.Warning
	}
	if f.Level != baton.OK {
		f.Fix = "Have a new token issued for the service account, and set api-token to it."
	}
	return []baton.Finding{f}
}

func failure(check string, err error) baton.Finding {
	return baton.Finding{Check: check, Level: baton.Failure, Detail: err.Error(), Fix: baton.FixOf(err)}
}

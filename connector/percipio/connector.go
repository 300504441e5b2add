// Package percipio connects a Skillsoft Percipio organisation: its accounts, its courses, and the progress of
// accounts in courses.
//
// Three feeds run at the same time. Accounts and courses are lists. Progress comes from a learning-activity
// report, which takes Percipio minutes to hours. It is requested first and polled while the lists load.
// Progress cannot be changed through the API, so nothing can be granted or revoked.
//
// users.go and courses.go read the lists. report.go requests the report, waits for it and reads it.
// activity.go converts its rows into grants.
package percipio

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"baton"
	"baton/connector/percipio/api"
	"baton/connector/rest"
)

// Resource types and entitlements of this connector. They are part of every identity.
const (
	userType       = "user"
	courseType     = "course"
	completedSlug  = "completed"
	inProgressSlug = "in_progress"
)

// Defaults of the settings.
const (
	defaultLookback = 3650 // days; the longest lookback known to be in use
	defaultTimeout  = 120  // minutes
)

func defaultContentTypes() []string { return []string{"COURSE", "ASSESSMENT"} }

// Config is a configured organisation.
type Config struct {
	REST  *rest.Client // the region's API; nil describes the connector without one
	Token baton.Secret // only used to see when it expires

	OrganizationID string
	// LimitedCourses holds the ids of the courses to sync. Empty means all.
	LimitedCourses []string
	// SkipMissing ignores limited courses that do not exist.
	SkipMissing bool
	// ContentTypes lists the kinds of content to sync as courses, by their names in the catalogue. Empty
	// means COURSE and ASSESSMENT.
	ContentTypes []string
	// Lookback is the age of the oldest activity to read. 0 means 3650 days.
	Lookback time.Duration
	// ReportTimeout limits the wait for one report. 0 means 120 minutes.
	ReportTimeout time.Duration
	// CheckReport lets Diagnose request a report, which is the only proof that the token may.
	CheckReport bool
}

// connector holds the state that the functions of baton.Connector share.
type connector struct {
	cfg     Config
	api     *api.Client
	limited map[string]bool

	mu   sync.Mutex
	open map[string]*download // reports that are being read, between two pages, by id
}

// New returns the connector. Without Config.REST it can be described but not used.
func New(cfg Config) *baton.Connector {
	if len(cfg.ContentTypes) == 0 {
		cfg.ContentTypes = defaultContentTypes()
	}
	cfg.Lookback = cmp.Or(cfg.Lookback, defaultLookback*24*time.Hour)
	cfg.ReportTimeout = cmp.Or(cfg.ReportTimeout, defaultTimeout*time.Minute)
	c := &connector{cfg: cfg, limited: map[string]bool{}, open: map[string]*download{}}
	for _, id := range cfg.LimitedCourses {
		c.limited[canonical(id)] = true
	}
	origin := ""
	if cfg.REST != nil {
		c.api = api.New(cfg.REST, cfg.OrganizationID)
		origin = cfg.REST.Origin() + "/organizations/" + cfg.OrganizationID + cfg.scope() + cfg.REST.Scope()
	}
	return &baton.Connector{
		Name:        "baton-percipio",
		DisplayName: "Percipio",
		Description: "Accounts, courses and course progress of a Skillsoft Percipio organisation.",
		HelpURL:     "https://documentation.skillsoft.com/en_us/percipio/Content/Integration/int_api_rest_authentication.htm",
		Origin:      origin,
		ResourceTypes: []baton.ResourceType{
			{ID: userType, DisplayName: "User", Traits: []baton.Trait{baton.TraitUser}, NoEntitlements: true,
				Columns:     []baton.Column{{Key: "role", Title: "Percipio role"}, {Key: "job_title", Title: "Job title"}},
				Description: "An account of the organisation."},
			{ID: courseType, DisplayName: "Course", Ranks: []string{completedSlug, inProgressSlug},
				Columns:     []baton.Column{{Key: "content_type", Title: "Kind"}, {Key: "code", Title: "Code"}},
				Description: "An active course or assessment of the organisation's catalogue."},
		},
		// The report comes first: Percipio prepares it while the lists are read.
		Feeds: []baton.Feed{
			{Name: "report", Types: []string{courseType}, Next: c.nextReport},
			{Name: "users", Types: []string{userType}, Next: c.nextUsers},
			{Name: "courses", Types: []string{courseType}, Next: c.nextCourses},
		},
		Validate: c.validate,
		Diagnose: c.diagnose,
		Review:   review,
	}
}

// scope distinguishes syncs of the same organisation that read different parts of it. It is empty for the
// default.
func (cfg Config) scope() string {
	types := slices.Sorted(slices.Values(cfg.ContentTypes))
	if len(cfg.LimitedCourses) == 0 && cfg.Lookback == defaultLookback*24*time.Hour && slices.Equal(types, slices.Sorted(slices.Values(defaultContentTypes()))) {
		return ""
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%q %q %d", cfg.LimitedCourses, types, cfg.Lookback)
	return fmt.Sprintf("#%x", h.Sum64())
}

// regions maps values of the setting region to base URLs.
func regions() map[string]string {
	return map[string]string{"us": "https://api.percipio.com", "eu": "https://dew1-api.percipio.com"}
}

// Settings returns the connector's settings.
func Settings() []baton.Setting {
	return []baton.Setting{
		{Name: "api-token", DisplayName: "API Token", Kind: baton.SecretSetting, Required: true,
			Description: "The bearer token of a Percipio service account"},
		{Name: "organization-id", DisplayName: "Organization ID", Kind: baton.StringSetting, Required: true,
			Placeholder: "00000000-0000-0000-0000-000000000000",
			Description: "The UUID of the Percipio organization"},
		{Name: "limited-courses", DisplayName: "Course IDs", Kind: baton.StringsSetting,
			Description: "Sync just the courses with these ids (default: all)"},
		{Name: "region", DisplayName: "Region", Kind: baton.StringSetting, Default: "us", Placeholder: "us or eu",
			Description: "Where Percipio keeps the organization: us or eu"},
		{Name: "base-url", DisplayName: "API URL", Kind: baton.StringSetting, Advanced: true, Placeholder: "https://api.percipio.com",
			Description: "The address of the Percipio API, in place of the region's"},
		{Name: "report-lookback-days", DisplayName: "Days of activity", Kind: baton.IntSetting, Default: defaultLookback, Min: 1, Max: 36500, Advanced: true,
			Description: "How far back the report of learning activity reaches; progress that is older is not seen"},
		{Name: "report-timeout", DisplayName: "Minutes to wait for the report", Kind: baton.IntSetting, Default: defaultTimeout, Min: 1, Max: 7 * 24 * 60, Advanced: true,
			Description: "How many minutes to wait for Percipio to make the report"},
		{Name: "content-types", DisplayName: "Content types", Kind: baton.StringsSetting, Default: defaultContentTypes(), Advanced: true,
			Description: "Kinds of content that are synced as courses"},
		{Name: "skip-missing-courses", DisplayName: "Skip missing courses", Kind: baton.BoolSetting, Advanced: true,
			Description: "Go on without those of limited-courses that do not exist, instead of failing"},
		{Name: "check-report", DisplayName: "Check the report permission", Kind: baton.BoolSetting, Advanced: true,
			Description: "Let the doctor request a report of one day, to prove that it may"},
	}
}

// canonical returns the id of a course with a UUID in lower case, as Percipio writes it.
func canonical(id string) string {
	if lower := strings.ToLower(id); uuid.MatchString(lower) {
		return lower
	}
	return id
}

// isLimited reports whether the course with that id is among the limited ones.
func (c *connector) isLimited(id string) bool {
	if c.limited[id] {
		return true
	}
	lower := strings.ToLower(id)
	return lower != id && c.limited[lower] && uuid.MatchString(id)
}

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// Configure reads the connector's own settings. The caller connects to the address that [BaseURL] returns.
func Configure(v baton.Values) (Config, error) {
	cfg := Config{
		Token:          v.Secret("api-token"),
		OrganizationID: strings.ToLower(strings.TrimSpace(v.String("organization-id"))),
		SkipMissing:    v.Bool("skip-missing-courses"),
		Lookback:       time.Duration(v.Int("report-lookback-days")) * 24 * time.Hour,
		ReportTimeout:  time.Duration(v.Int("report-timeout")) * time.Minute,
		CheckReport:    v.Bool("check-report"),
	}
	if !uuid.MatchString(cfg.OrganizationID) {
		return cfg, baton.Errorf(baton.Invalid, "organization-id is not a UUID").
			WithFix("Copy it again; it looks like 12345678-90ab-cdef-1234-567890abcdef.")
	}
	for _, id := range v.Strings("limited-courses") {
		if id = canonical(strings.TrimSpace(id)); id != "" && !slices.Contains(cfg.LimitedCourses, id) {
			cfg.LimitedCourses = append(cfg.LimitedCourses, id)
		}
	}
	for _, t := range v.Strings("content-types") {
		t = strings.ToUpper(strings.TrimSpace(t))
		if _, ok := reportNames()[t]; !ok {
			return cfg, baton.Errorf(baton.Invalid, "content-types has %q", t).
				WithFix("Choose among %s.", strings.Join(knownContentTypes(), ", "))
		}
		if !slices.Contains(cfg.ContentTypes, t) {
			cfg.ContentTypes = append(cfg.ContentTypes, t)
		}
	}
	return cfg, nil
}

// BaseURL returns the address of the organisation's API.
func BaseURL(v baton.Values) (string, error) {
	if url := strings.TrimSpace(v.String("base-url")); url != "" {
		return url, nil
	}
	region := cmp.Or(strings.ToLower(strings.TrimSpace(v.String("region"))), "us")
	url, ok := regions()[region]
	if !ok {
		return "", baton.Errorf(baton.Invalid, "region is %q", region).WithFix("Set it to us or to eu, or set base-url.")
	}
	return url, nil
}

func userResource(id string) baton.ResourceID   { return baton.ResourceID{Type: userType, ID: id} }
func courseResource(id string) baton.ResourceID { return baton.ResourceID{Type: courseType, ID: id} }

// Open returns the connector for the given settings. It sends nothing. The error is Invalid and lists all
// problems with the settings.
func Open(v baton.Values, o rest.Options) (*baton.Connector, error) {
	cfg, err := Configure(v)
	base, baseErr := BaseURL(v)
	if err := errors.Join(err, baseErr); err != nil {
		return nil, err
	}
	cfg.REST, err = rest.New(rest.Config{BaseURL: base, BaseURLName: "base-url", ReservedQuery: api.QueryParameters(), Token: cfg.Token, TokenName: "api-token"}.With(o))
	if err != nil {
		return nil, err
	}
	return New(cfg), nil
}

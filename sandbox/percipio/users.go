package percipio

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxPage is the largest page of a list, and the default of most.
const maxPage = 1000

// person is a user in the form of the API.
type person struct {
	ID                    string      `json:"id"`
	ExternalUserID        *string     `json:"externalUserId"`
	Email                 *string     `json:"email"`
	LoginName             *string     `json:"loginName"`
	FirstName             *string     `json:"firstName"`
	LastName              *string     `json:"lastName"`
	IsActive              bool        `json:"isActive"`
	Role                  *string     `json:"role"`
	UpdatedAt             *string     `json:"updatedAt"`
	JobTitle              *string     `json:"jobTitle"`
	JobRole               *string     `json:"jobRole"`
	ApprovalManager       *superior   `json:"approvalManager"`
	DirectHRManager       *superior   `json:"directHrManager"`
	IsInstructor          bool        `json:"isInstructor"`
	HasCoaching           bool        `json:"hasCoaching"`
	EnterpriseCoaching    bool        `json:"hasEnterpriseCoaching"`
	EnterpriseCoachingTab bool        `json:"hasEnterpriseCoachingDashboard"`
	CustomAttributes      []attribute `json:"customAttributes"`
}

// superior is a manager of a user; an empty object if there is none.
type superior struct {
	ID             string `json:"id,omitempty"`
	ExternalUserID string `json:"externalUserId,omitempty"`
	Email          string `json:"email,omitempty"`
	FirstName      string `json:"firstName,omitempty"`
	LastName       string `json:"lastName,omitempty"`
}

type attribute struct {
	ID    string  `json:"id"`
	Name  string  `json:"name"`
	Value *string `json:"value"`
}

// listUsers answers GET users. Offsets count in the live table: adding or removing a user between two pages
// shifts the others.
func (x *exchange) listUsers() *answer {
	offset, count, a := x.page(maxPage)
	if a != nil {
		return a
	}
	since, a := x.since()
	if a != nil {
		return a
	}
	f, org := x.s.faults, x.s.org
	all := org.listed
	if !since.IsZero() {
		all = slices.DeleteFunc(slices.Clone(all), func(n int32) bool { return org.people[n].updated.Before(since) })
	}
	total := len(all)
	if len(all) >= 5 && f.On("duplicate-users") {
		var twice []int32
		for i, n := range all {
			if twice = append(twice, n); i%5 == 4 {
				twice = append(twice, n)
			}
		}
		all = twice
	}
	shown := cut(all, offset, count)
	if len(shown) > 0 && f.Every("empty-page") {
		shown = nil
	}
	list := make([]*person, len(shown))
	for i, n := range shown {
		list[i] = x.person(org.people[n])
	}
	a = jsonAnswer(http.StatusOK, list)
	x.total(a, total)
	if offset == 0 && len(shown) > 0 && len(shown) < len(all) {
		x.shift(shown)
	}
	return a
}

// shift changes the organisation between the first page of users and the second.
func (x *exchange) shift(shown []int32) {
	s := x.s
	if s.faults.First("users-shift-delete") {
		s.removeUser(s.org.people[shown[len(shown)/2]].id)
	}
	if s.faults.First("users-shift-insert") {
		s.newcomer(0)
	}
	if s.faults.First("users-shift-both") {
		s.removeUser(s.org.people[shown[0]].id)
		s.newcomer(len(s.org.listed))
	}
}

func (s *Server) newcomer(at int) {
	s.inserted++
	name := "newcomer" + strconv.Itoa(s.inserted)
	s.addUser(Person{FirstName: "New", LastName: "Comer", LoginName: name, Email: name + "@" + domain}, at)
}

// getUser answers requests for one user.
func (x *exchange) getUser() *answer {
	org := x.s.org
	for _, key := range []struct {
		name string
		of   func(*user) string
	}{
		{"id", func(u *user) string { return u.id }},
		{"externalUserId", func(u *user) string { return u.externalID }},
		{"loginName", func(u *user) string { return u.loginName }},
	} {
		if want := x.r.PathValue(key.name); want != "" {
			for _, n := range org.listed {
				if strings.EqualFold(key.of(org.people[n]), want) {
					return jsonAnswer(http.StatusOK, x.person(org.people[n]))
				}
			}
		}
	}
	return fail(404, "there is no such user")
}

func (x *exchange) person(u *user) *person {
	f := x.s.faults
	p := &person{ID: u.id, ExternalUserID: optional(u.externalID), Email: optional(u.email), LoginName: optional(u.loginName),
		FirstName: optional(u.firstName), LastName: optional(u.lastName), IsActive: !u.inactive, Role: optional(u.role), UpdatedAt: x.date(u.updated, u.number),
		ApprovalManager: &superior{}, DirectHRManager: &superior{}, IsInstructor: u.noise%11 == 0, HasCoaching: u.noise>>8%3 == 0,
		EnterpriseCoaching: u.noise>>16%5 == 0, EnterpriseCoachingTab: u.noise>>24%4 == 0, CustomAttributes: x.attributes(u)}
	if u.noise>>32%3 > 0 {
		p.JobTitle = optional(strings.TrimSpace(x.s.words.of(u, jobFunction) + " Specialist"))
	}
	if m := u.manager; m >= 0 && !x.s.org.people[m].gone {
		boss := x.s.org.people[m]
		p.ApprovalManager = &superior{boss.id, boss.externalID, boss.email, boss.firstName, boss.lastName}
	}
	if f.On("null-values") {
		p.ApprovalManager, p.DirectHRManager, p.CustomAttributes = nil, nil, nil
		for i, field := range []**string{&p.ExternalUserID, &p.Email, &p.LoginName, &p.FirstName, &p.LastName, &p.Role, &p.UpdatedAt, &p.JobTitle} {
			if u.number%8 == i {
				*field = nil
			}
		}
	}
	return p
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// date returns a time in the form of the API.
func (x *exchange) date(t time.Time, which int) *string {
	s := t.UTC().Format(timeFormat)
	if x.s.faults.On("odd-dates") {
		odd, isNull := oddDate(uint64(which))
		if isNull {
			return nil
		}
		s = odd
	}
	return &s
}

// attributes returns the values of the custom attributes.
func (x *exchange) attributes(u *user) []attribute {
	all := slices.Clone(x.s.attributes)
	for i := range all {
		all[i].Value = optional(x.s.words.of(u, i))
	}
	if !x.s.faults.On("custom-attributes-collide") {
		return all
	}
	for i, a := range [][2]string{{"id", "badge-" + strconv.Itoa(u.number)}, {"email", "private" + strconv.Itoa(u.number) + "@elsewhere.example"},
		{"role", "Treasurer"}, {"is_active", "perhaps"}} {
		all = append(all, attribute{identifier(x.s.opts.Seed, kindAttribute, uint64(100+i)), a[0], &a[1]})
	}
	return all
}

func makeAttributes(seed uint64) []attribute {
	var all []attribute
	for i, name := range attributeNames() {
		all = append(all, attribute{ID: identifier(seed, kindAttribute, uint64(i)), Name: name})
	}
	return all
}

// attributeNames returns the organisation's custom attributes, in the order of
// attributeColumns.
func attributeNames() []string {
	return []string{"Business Unit", "Geo", "Country Name", "Cost Center Code", "Department Code", "Dept Name", "Division",
		"Employee Class", "Employee ID", "Job Function", "Direct Manager Name", "Manager Email"}
}

const jobFunction = 9 // in attributeNames

// words holds the possible values of each custom attribute.
type words [][]string

func attributeWords() words {
	var all words
	for list := range strings.SplitSeq("Retail Banking and Wealth Management,Corporate and Investment Services,Insurance and Pensions,Digital Platforms|EMEA,Americas,APJ|Germany,France,United States,Japan,India,Brazil,Kenya|"+
		"CC-1010,CC-2040,CC-3300,CC-4711,CC-5820|D100,D200,D310,D455,D780|Customer Operations and Service Delivery,Group Technology and Infrastructure,Risk and Compliance,People and Culture,Treasury|"+
		"Continental,International,Central Functions|Regular Full Time,Regular Part Time,Contractor,Intern|E-00417,E-01832,E-02960,E-07755,E-08121,E-09304|"+
		"Engineering,Sales,Finance,Legal,Support,Research|Ines Moreau,Sven Lindqvist,Wanjiru Mbeki,Priya Gupta,Noah Chen|"+
		"ines.moreau@acme.example,sven.lindqvist@acme.example,wanjiru.mbeki@acme.example,priya.gupta@acme.example,noah.chen@acme.example", "|") {
		all = append(all, strings.Split(list, ","))
	}
	return all
}

// of returns the value of a user's attribute; one in twelve has none.
func (w words) of(u *user, attribute int) string {
	at := u.noise >> (5 * attribute)
	if at%12 == 7 {
		return ""
	}
	return w[attribute][at%uint64(len(w[attribute]))]
}

// page reads offset and max.
func (x *exchange) page(byDefault int) (offset, count int, a *answer) {
	offset, count = 0, byDefault
	for name, into := range map[string]*int{"offset": &offset, "max": &count} {
		if given := x.query.Get(name); given != "" {
			n, err := strconv.Atoi(given)
			if err != nil || n < 0 || name == "max" && n == 0 {
				return 0, 0, fail(400, "%s is %q", name, given)
			}
			*into = n
		}
	}
	if count > maxPage {
		if x.s.faults.On("max-over-1000-is-400") {
			return 0, 0, fail(400, "max is %d: it must be between 1 and %d", count, maxPage)
		}
		count = maxPage
	}
	if x.s.faults.Has("page-cap") {
		count = min(count, x.s.faults.Number("page-cap"))
	}
	return offset, count, nil
}

// since reads updatedSince.
func (x *exchange) since() (time.Time, *answer) {
	given := x.query.Get("updatedSince")
	if given == "" {
		return time.Time{}, nil
	}
	t, err := parseTime(given)
	if err != nil {
		return t, fail(400, "updatedSince: %v", err)
	}
	return t, nil
}

// total sets the header with the length of the whole list.
func (x *exchange) total(a *answer, n int) {
	f := x.s.faults
	switch {
	case f.On("no-total"):
		return
	case f.On("total-lies-high"):
		n += 7
	case f.On("total-lies-low"):
		n = max(0, n-7)
	}
	a.header.Set("X-Total-Count", strconv.Itoa(n))
}

func cut[T any](all []T, offset, count int) []T {
	offset = min(offset, len(all))
	return all[offset:min(offset+count, len(all))]
}

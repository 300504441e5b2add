package perplexity

import (
	"cmp"
	_ "embed"
	"fmt"
	"html"
	"io"
	"net/http"
	"slices"
	"strings"

	"baton/sandbox/fault"
)

//go:embed admin.html
var adminHead string

// routes returns the handlers of the console's pages and of the faults. They need no token: they are for the
// person who runs the sandbox, and bound to loopback. Requests from a web page of another origin are refused.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.adminPage)
	mux.HandleFunc("GET /admin.json", func(w http.ResponseWriter, r *http.Request) { fault.WriteJSON(w, s.State()) })
	mux.HandleFunc("POST /admin/remove", s.adminRemove)
	for pattern, f := range fault.Control(s, Faults(), `["page-cap=5","patch-204"]`) {
		mux.HandleFunc(pattern, f)
	}
	return http.NewCrossOriginProtection().Handler(mux)
}

// adminRemove handles the console's button to remove a user. It only works for users of the console: those
// managed by SCIM are locked.
func (s *Server) adminRemove(w http.ResponseWriter, r *http.Request) {
	id := r.PostFormValue("user")
	u, ok := s.State().User(id)
	switch {
	case !ok || u.ID != id:
		http.Error(w, "there is no such user", http.StatusNotFound)
	case u.Managed:
		http.Error(w, "this user is managed through SCIM and cannot be changed here", http.StatusForbidden)
	default:
		s.RemoveUser(id)
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
}

// adminRows limits the rows of the page.
const adminRows = 500

// adminPage shows the organisation, with the users of the console first.
func (s *Server) adminPage(w http.ResponseWriter, _ *http.Request) {
	st := s.State()
	names := map[string]string{}
	for _, g := range st.Groups {
		names[g.ID] = g.DisplayName
	}
	shown := slices.Clone(st.Users)
	slices.SortStableFunc(shown, func(a, b UserState) int {
		switch {
		case a.Managed == b.Managed:
			return 0
		case b.Managed:
			return -1
		}
		return 1
	})
	shown = shown[:min(len(shown), adminRows)]
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
	var p page
	p.WriteString(adminHead)
	p.html("<p>A sandbox in place of a Perplexity organisation. SCIM is served at <code>%s</code>.</p>\n", s.base)
	p.html("<p>%d of %d seats are taken. %d effective admins.</p>\n", st.SeatsUsed, st.Seats, len(st.Admins))
	if len(st.Admins) == 0 {
		p.html("<p class=\"warning\" role=\"alert\">Nobody has the Admin role: this organisation has locked itself out.</p>\n")
	}
	if faults := s.ActiveFaults(); len(faults) > 0 {
		p.html("<p>Faults: <code>%s</code></p>\n", strings.Join(faults, ", "))
	}
	p.groups(st.Groups)
	p.people(shown, len(st.Users), names)
	p.html("</main>\n</body>\n</html>\n")
	io.WriteString(w, p.String())
}

// page builds HTML. A template engine would make the linker keep every method of every type in the programs
// that include the sandbox.
type page struct{ strings.Builder }

// html appends markup. Arguments are escaped for text and for quoted attributes.
func (p *page) html(markup string, args ...any) {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = html.EscapeString(s)
		}
	}
	fmt.Fprintf(p, markup, args...)
}

func (p *page) groups(groups []GroupState) {
	p.html("<table>\n<caption>Groups</caption>\n<thead><tr>" +
		"<th scope=\"col\">Group</th><th scope=\"col\">Role</th><th scope=\"col\">Members</th></tr></thead>\n<tbody>\n")
	for _, g := range groups {
		p.html("<tr><th scope=\"row\">%s</th><td>%s</td><td>%d</td></tr>\n", g.DisplayName, string(g.Role), len(g.Members))
	}
	p.html("</tbody>\n</table>\n")
}

func (p *page) people(shown []UserState, all int, groups map[string]string) {
	p.html("<table>\n<caption>People")
	if len(shown) < all {
		p.html(" (the first %d of %d)", len(shown), all)
	}
	p.html("</caption>\n<thead><tr><th scope=\"col\">Name</th><th scope=\"col\">User name</th><th scope=\"col\">Effective role</th>" +
		"<th scope=\"col\">Groups</th><th scope=\"col\">Managed by</th></tr></thead>\n<tbody>\n")
	for _, u := range shown {
		name := cmp.Or(u.DisplayName, u.UserName)
		var in []string
		for _, id := range u.Groups {
			in = append(in, groups[id])
		}
		p.html("<tr><th scope=\"row\">%s</th><td>%s</td><td>%s</td>\n<td>%s</td>\n", name, u.UserName, string(u.Role), strings.Join(in, ", "))
		if u.Managed {
			p.html("<td>SCIM (locked here)</td></tr>\n")
			continue
		}
		p.html("<td>this console\n<form method=\"post\" action=\"/admin/remove\">"+
			"<button name=\"user\" value=\"%s\" aria-label=\"Remove %s\">Remove</button></form></td></tr>\n", u.ID, name)
	}
	p.html("</tbody>\n</table>\n")
}

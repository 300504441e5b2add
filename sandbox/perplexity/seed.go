package perplexity

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// domain is the domain of generated addresses. It is reserved for examples, so no mail reaches anybody.
const domain = "acme.example"

// firstNames and lastNames hold the names of generated people. A bar and another spelling follow a name whose
// spelling in an address differs. The numbers of names have no common divisor, so that walking both lists
// yields every pair.
const (
	firstNames = "Ada|Björn|bjorn Chiara|Daniel|Elif|Fatima|Grace|Hiroshi|Ines|Jonas|Kateryna|Liam|Mei|Noah|Olga|Priya|Quentin|" +
		"Rosa|Sven|Tomás|tomas Uma|Viktor|Wanjiru|Xavier|Yuki|Zoë|zoe Amara|Benedikt|Camille|Dmitri|Esther|Farid|Giulia|Henrik|Isabel|Jamal|Karin|"
	lastNames = "Okafor|Nguyễn|nguyen Schmidt|Rossi|Kowalski|Haddad|Lindqvist|Tanaka|Moreau|Novak|García|garcia Petrov|O'Brien|obrien " +
		"Chen|Dubois|Eriksen|Fischer|Gupta|Hansen|Ivanova|Jansen|Kaya|López|lopez Mbeki|Nakamura|Olsen|Patel|Quispe|Rahman|Silva|Tran|" +
		"Ueda|Vogel|Weber|Xu|Yılmaz|yilmaz Zimmermann|Adeyemi|Bauer|Costa|Đặng|dang "
	departments = "Engineering Sales Finance Legal Marketing Support Research Design Security Operations"
)

// epoch returns the time at which the first generated user joined.
func epoch() time.Time { return time.Date(2025, time.January, 6, 9, 0, 0, 0, time.UTC) }

// IDForm is a form of ids.
type IDForm int

// The forms of ids.
const (
	WorkOSIDs IDForm = iota // directory_user_01…
	UUIDs                   // in small letters
	Numbers                 // of six digits and more
)

// unknown returns the id of a user that the server does not show.
func (f IDForm) unknown() string {
	switch f {
	case UUIDs:
		return "ffffffff-0000-4000-8000-ffffffffffff"
	case Numbers:
		return "199999"
	}
	return "directory_user_01UNKNOWN000000000000000000"
}

// identifiers generates ids in a fixed order for a seed.
type identifiers struct {
	rand   *rand.Rand
	form   IDForm
	number int
}

func newIdentifiers(seed uint64, form IDForm) *identifiers {
	return &identifiers{rand: rand.New(rand.NewPCG(seed, 0x5c1)), form: form, number: 100_000}
}

func (g *identifiers) user() string  { return g.id("directory_user_01") }
func (g *identifiers) group() string { return g.id("directory_group_01") }

func (g *identifiers) id(prefix string) string {
	switch g.form {
	case UUIDs:
		a, b := g.rand.Uint64(), g.rand.Uint64()
		return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0xfff, b&0xffffffffffff)
	case Numbers:
		g.number++
		return strconv.Itoa(g.number)
	}
	return g.next(prefix)
}

func (g *identifiers) next(prefix string) string {
	const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	id := make([]byte, 0, len(prefix)+24)
	id = append(id, prefix...)
	for range 2 {
		for bits, i := g.rand.Uint64(), 0; i < 12; i++ {
			id = append(id, alphabet[bits&31])
			bits >>= 5
		}
	}
	return string(id)
}

type spelling struct{ name, ascii string }

func spellings(list string) []spelling {
	var all []spelling
	for _, part := range strings.Split(strings.ReplaceAll(list, " ", " |"), "|") {
		if ascii, ok := strings.CutSuffix(part, " "); ok {
			all[len(all)-1].ascii = ascii
		} else if part != "" {
			all = append(all, spelling{part, strings.ToLower(part)})
		}
	}
	return all
}

// seed fills the organisation.
func (s *Server) seed() {
	switch {
	case s.opts.Empty:
	case s.opts.Users == 0:
		s.makeUp(25)
		s.demo()
	default:
		s.makeUp(s.opts.Users)
		if s.opts.Departments {
			s.makeUpDepartments()
		} else {
			s.makeUpGroups(s.opts.Groups)
		}
	}
}

// makeUp generates n users. Every organisation has one without a family name, one without a displayName, one
// of another organisation, one in 25 disabled, and some of the console.
func (s *Server) makeUp(n int) {
	first, last := spellings(firstNames), spellings(lastNames)
	all := make([]user, n) // one allocation instead of n
	addresses := make([]email, n)
	s.users = make([]*user, n)
	shift := int(s.opts.Seed % uint64(len(last)))
	for i := range all {
		u, f, l := &all[i], first[i%len(first)], last[(i*7+shift)%len(last)]
		number := 0
		if i >= len(first) {
			number = i
		}
		joined := epoch().Add(time.Duration(i) * time.Minute)
		u.id, u.active, u.meta = s.ids.user(), i%25 != 17, meta{joined, joined, 1}
		u.name[givenName], u.name[familyName] = f.name, l.name
		u.displayName = f.name + " " + l.name
		u.userName = s.address(f.ascii+"."+l.ascii, number)
		if i%5 != 4 {
			u.externalID = "hr-" + strconv.Itoa(10001+i)
		}
		switch i {
		case 5:
			u.name[familyName], u.displayName, u.userName = "", f.name, s.address(f.ascii, 0)
		case 9:
			u.displayName = ""
		case 13:
			u.elsewhere = true
		}
		addresses[i] = email{value: u.userName, kind: "work", primary: true}
		u.emails = addresses[i : i+1 : i+1]
		s.users[i], s.userByID[u.id], s.userByName[u.userName] = u, u, u
	}
	for _, name := range []string{"founder", "office"} {
		s.hidden = append(s.hidden, s.newPerson(Person{UserName: s.address(name, 0), GivenName: strings.ToUpper(name[:1]) + name[1:], Console: true}))
	}
	for _, u := range s.hidden {
		u.created, u.modified = epoch(), epoch()
	}
}

func (s *Server) address(local string, number int) string {
	if number > 0 {
		local += strconv.Itoa(number)
	}
	return local + "@" + domain
}

// demo creates the groups of the demo organisation: two enabled admins, one of them also a Member, and a
// disabled one. All others are Members, except the last user, who is only in Engineering.
func (s *Server) demo() {
	admins, members, engineering := s.makeUpGroup("PPLX_Admin", 0), s.makeUpGroup("PPLX_Members", 1), s.makeUpGroup("Engineering", 2)
	s.users[2].active = false
	for i, u := range s.users {
		if i <= 2 {
			s.link(admins, u)
		}
		if i == 1 || i > 2 && i < len(s.users)-1 {
			s.link(members, u)
		}
		if i%4 == 0 {
			s.link(engineering, u)
		}
	}
}

// makeUpDepartments makes one user in 200 an admin, at least two, and also makes all admins except the first
// one Members. One user in 50 has no role. Every user is in a department.
func (s *Server) makeUpDepartments() {
	admins, members := s.makeUpGroup(defaultRoles()[0].Group, 0), s.makeUpGroup(defaultRoles()[1].Group, 1)
	var teams []*group
	for i, name := range strings.Fields(departments) {
		teams = append(teams, s.makeUpGroup(name, 2+i))
	}
	few := max(2, len(s.users)/200)
	for i, u := range s.users {
		if i < few {
			s.link(admins, u)
		}
		if i == 1 || i >= few && i%50 != 49 {
			s.link(members, u)
		}
		s.link(teams[i*7%len(teams)], u)
	}
}

func (s *Server) makeUpGroup(name string, i int) *group {
	made := epoch().Add(-time.Hour + time.Duration(i)*time.Second)
	g := &group{id: s.ids.group(), displayName: name, identity: name, meta: meta{made, made, 1}}
	s.insertGroup(g)
	return g
}

// makeUpGroups generates n groups. The members of a group are users at a fixed distance, which are distinct
// without a set.
func (s *Server) makeUpGroups(n int) {
	names := strings.Fields(departments)
	sizes := rand.New(rand.NewPCG(s.opts.Seed, 0x512e))
	belongs := make([]int, len(s.users))
	sample := make([][]int32, n)
	for i := range sample {
		low := min(max(0, s.opts.MembersMin), len(s.users))
		high := min(max(low, s.opts.MembersMax), len(s.users))
		sample[i] = make([]int32, low+sizes.IntN(high-low+1))
		start, stride := sizes.IntN(len(s.users)), coprime(1+sizes.IntN(len(s.users)), len(s.users))
		for j := range sample[i] {
			at := (start + j*stride) % len(s.users)
			sample[i][j] = int32(at)
			belongs[at]++
		}
	}
	total := 0
	for _, b := range belongs {
		total += b
	}
	buf := make([]*group, 0, total) // one allocation for all users' groups
	for i, u := range s.users {
		at := len(buf)
		buf = buf[:at+belongs[i]]
		u.groups = buf[at:at:len(buf)]
	}
	for i, chosen := range sample {
		name := names[(i-2+len(names))%len(names)]
		switch {
		case i < 2:
			name = defaultRoles()[i].Group
		case i-2 >= len(names):
			name += " " + strconv.Itoa(1+(i-2)/len(names))
		}
		g := s.makeUpGroup(name, i)
		g.members = make([]*user, len(chosen))
		for j, at := range chosen {
			u := s.users[at]
			g.members[j] = u
			u.groups = append(u.groups, g)
		}
	}
}

// coprime returns the first number from n on that is coprime to m.
func coprime(n, m int) int {
	for {
		a, b := n, m
		for b != 0 {
			a, b = b, a%b
		}
		if a == 1 {
			return n
		}
		n++
	}
}

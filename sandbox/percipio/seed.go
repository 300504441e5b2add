package percipio

import (
	"encoding/hex"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"
)

// organisation is one state of the organisation. It is immutable: a change creates a new one, so that a
// report or a frozen result set keeps its state.
type organisation struct {
	people []*user // all users that ever existed, by number
	items  []*item
	listed []int32 // the numbers of the people, in list order
	shelf  []int32 // the numbers of the items, in list order

	plan   plan
	moved  map[int]bool // rows of the plan that a later event replaced
	events []event      // later events, oldest first
}

type user struct {
	id, externalID, email, loginName, firstName, lastName, role string

	number   int
	noise    uint64
	manager  int // number of the approval manager, or -1
	inactive bool
	gone     bool
	updated  time.Time
}

type item struct {
	id, code, title, locale string
	kind                    *contentKind

	number  int
	noise   uint64
	retired bool
	gone    bool
	made    time.Time
	updated time.Time
}

// becomesCourse reports whether a sync of courses lists the item.
func (c *item) becomesCourse() bool {
	return !c.gone && !c.retired && (c.kind.name == "COURSE" || c.kind.name == "ASSESSMENT")
}

// contentKind is a type of content: its name in the catalogue, in rows and in addresses, and the statuses in
// rows for finished and unfinished content.
type contentKind struct{ name, row, path, modality, done, begun string }

func contentKinds() []*contentKind {
	return []*contentKind{
		{"COURSE", "Course", "courses", "WATCH", "Completed", "Started"},
		{"ASSESSMENT", "Assessment", "assessments", "PRACTICE", "Achieved", "Started"},
		{"VIDEO", "Video", "videos", "WATCH", "Watched", "Started"},
		{"BOOK", "Book", "books", "READ", "Read", "Active"},
		{"AUDIOBOOK", "AudioBook", "audiobooks", "LISTEN", "Listened", "Active"},
		{"CHANNEL", "Channel", "channels", "WATCH", "Completed", "Active"},
		{"LINKED_CONTENT", "Linked Content", "linked-contents", "READ", "Completed", "Started"},
		{"JOURNEY", "Journey", "journeys", "WATCH", "Achieved", "Started"},
	}
}

func kindNamed(name string) *contentKind {
	kinds := contentKinds()
	if i := slices.IndexFunc(kinds, func(k *contentKind) bool { return k.name == name }); i >= 0 {
		return kinds[i]
	}
	return kinds[0]
}

// domain is the domain of generated addresses. It is reserved for examples, so no mail reaches anybody.
const domain = "acme.example"

// The words for generated names. The numbers of first and last names have no common divisor, so that walking
// both lists yields every pair.
const (
	firstNames = "Ada Björn Chiara Daniel Elif Fatima Grace Hiroshi Ines Jonas Kateryna Liam Mei Noah Olga Priya Quentin " +
		"Rosa Sven Tomás Uma Viktor Wanjiru Xavier Yuki Zoë Amara Benedikt Camille Dmitri Esther Farid Giulia Henrik Isabel Jamal Karin"
	lastNames = "Okafor Nguyễn Schmidt Rossi Kowalski Haddad Lindqvist Tanaka Moreau Novak García Petrov O'Brien Chen Dubois Eriksen " +
		"Fischer Gupta Hansen Ivanova Jansen Kaya López Mbeki Nakamura Olsen Patel Quispe Rahman Silva Tran Ueda Vogel Weber Xu Yılmaz " +
		"Zimmermann Adeyemi Bauer Costa Đặng"
	approaches = "Introduction to|Working with|Advanced|Securing|Planning|Practical|Troubleshooting|Understanding|Leading with|Automating|Measuring"
	topics     = "Kubernetes|Data Privacy|Project Management|Python|Conflict Resolution|Cloud Architecture|Anti-Bribery|SQL|Public Speaking|Incident Response|" +
		"Workplace Safety|Machine Learning|Negotiation|Network Security|Spreadsheets|Inclusive Hiring|Go"
	roles = "LEARNER LEARNER LEARNER MANAGER LEARNER LEARNER CONTENT_CURATOR LEARNER LEARNER LEARNING_ADMIN LEARNER LEARNER CONTENT_COORDINATOR LEARNER LEARNER LEARNER ADMIN"
	// shelfPattern repeats in the catalogue: C and A are active, i is an inactive course, x is something
	// else. 11 of 15 become courses.
	shelfPattern = "CACxCiCCxCACxCC"
)

// founded returns the time when the first generated user joined, and newest the last access of the newest
// generated row. A thousand days of activity lie between.
func founded() time.Time { return time.Date(2023, time.January, 9, 9, 0, 0, 0, time.UTC) }
func newest() time.Time  { return time.Date(2026, time.March, 2, 16, 0, 0, 0, time.UTC) }

const activity = 1000 * 24 * time.Hour

// The types of objects that have identifiers.
const (
	kindOrganisation = iota + 1
	kindUser
	kindItem
	kindReport
	kindPaging
	kindAttribute
	kindStranger
	kindInserted
	kindCrowd
	kindNoise
)

// mix scrambles its arguments into one number (the finalizer of SplitMix64).
func mix(seed, kind, n uint64) uint64 {
	z := seed + kind*0x9e3779b97f4a7c15 + n*0xd1342543de82ef95 + 0x2545f4914f6cdd1d
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// identifier returns a UUID of version 4, the same one for the same arguments.
func identifier(seed, kind, n uint64) string {
	var raw [16]byte
	for i := range 2 {
		v := mix(seed+uint64(i)*0xa0761d6478bd642f, kind, n)
		for j := range 8 {
			raw[8*i+j] = byte(v >> (8 * j))
		}
	}
	raw[6], raw[8] = raw[6]&0x0f|0x40, raw[8]&0x3f|0x80
	text, start := make([]byte, 0, 36), 0
	for _, end := range []int{4, 6, 8, 10, 16} {
		if start > 0 {
			text = append(text, '-')
		}
		text = hex.AppendEncode(text, raw[start:end])
		start = end
	}
	return string(text)
}

func makeUp(opts Options) *organisation {
	o := &organisation{moved: map[int]bool{}}
	first, last, role := strings.Fields(firstNames), strings.Fields(lastNames), strings.Fields(roles)
	for i := range opts.Users {
		u := &user{id: identifier(opts.Seed, kindUser, uint64(i)), number: i, noise: mix(opts.Seed, kindNoise, uint64(i)), manager: i - 1 - i%7,
			firstName: first[i%len(first)], lastName: last[(i*7+int(opts.Seed%41))%len(last)], role: role[i%len(role)],
			inactive: i%23 == 11, updated: founded().Add(time.Duration(i) * time.Minute)}
		u.loginName = ascii(u.firstName) + "." + ascii(u.lastName)
		if i >= len(first) {
			u.loginName += strconv.Itoa(i)
		}
		u.email = u.loginName + "@" + domain
		u.externalID = u.email
		if i%9 == 4 {
			u.loginName = "" // accounts by single sign-on alone have none
		}
		o.people = append(o.people, u)
		o.listed = append(o.listed, int32(i))
	}
	kinds := contentKinds()
	approach, topic := strings.Split(approaches, "|"), strings.Split(topics, "|")
	for i := range opts.Courses {
		at := shelfPattern[i%len(shelfPattern)]
		c := &item{id: identifier(opts.Seed, kindItem, uint64(i)), number: i, noise: mix(opts.Seed, kindNoise, uint64(i)), kind: kinds[0], locale: "en-US",
			retired: at == 'i', made: founded().Add(time.Duration(i) * time.Hour), title: approach[i%len(approach)] + " " + topic[i%len(topic)]}
		c.updated = c.made.Add(time.Duration(c.noise%400) * time.Hour)
		switch {
		case at == 'A':
			c.kind = kinds[1]
			c.title += ": Final Exam"
		case at == 'x':
			c.kind = kinds[2+(i/5)%(len(kinds)-2)]
		}
		if n := i / (len(approach) * len(topic)); n > 0 {
			c.title += ", Part " + strconv.Itoa(n+1)
		}
		switch i % 10 {
		case 6:
			c.locale = "de-DE"
		case 9:
			c.locale = "fr-FR"
		}
		c.code = "acm_" + strings.ToLower(strings.ReplaceAll(topic[i%len(topic)], " ", "")[:2]) + "_a" + strconv.Itoa(i) + "_" + strings.ToLower(strings.ReplaceAll(c.locale, "-", ""))
		o.items = append(o.items, c)
		o.shelf = append(o.shelf, int32(i))
	}
	o.plan = makePlan(opts)
	return o
}

// ascii spells a name for an e-mail address.
func ascii(name string) string {
	return strings.NewReplacer("ö", "o", "á", "a", "ë", "e", "ễ", "e", "í", "i", "'", "", "ó", "o", "ı", "i", "đ", "d", "ặ", "a").Replace(strings.ToLower(name))
}

// plan assigns a pair of user and item to each generated row. It visits all pairs in strides, so that no pair
// repeats and none must be stored.
type plan struct {
	seed                 uint64
	rows                 int
	pairs, items         uint64
	stride, back, offset uint64
	step                 uint64 // seconds between two rows
}

func makePlan(opts Options) plan {
	p := plan{seed: opts.Seed, items: uint64(opts.Courses), pairs: uint64(opts.Users) * uint64(opts.Courses)}
	p.rows = int(min(uint64(opts.Rows), p.pairs))
	if p.rows == 0 {
		return p
	}
	p.stride = coprime(uint64(float64(p.pairs)*0.6180339887), p.pairs)
	p.back = inverse(p.stride, p.pairs)
	p.offset = mix(opts.Seed, kindNoise, 0) % p.pairs
	p.step = uint64(activity/time.Second) / uint64(p.rows)
	return p
}

// pair returns the user and the item of a row.
func (p *plan) pair(row int) (user, item int) {
	at := (timesMod(p.stride, uint64(row), p.pairs) + p.offset) % p.pairs
	return int(at / p.items), int(at % p.items)
}

// row returns the row about a pair, and whether there is one.
func (p *plan) row(user, item int) (int, bool) {
	at := uint64(user)*p.items + uint64(item)
	if p.rows == 0 || uint64(item) >= p.items || at >= p.pairs {
		return 0, false
	}
	row := timesMod(p.back, (at+p.pairs-p.offset)%p.pairs, p.pairs)
	return int(row), row < uint64(p.rows)
}

func timesMod(a, b, m uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return bits.Rem64(hi, lo, m)
}

// coprime returns the first positive number from n on that is coprime to m.
func coprime(n, m uint64) uint64 {
	for n = max(n, 1); ; n++ {
		a, b := n, m
		for b != 0 {
			a, b = b, a%b
		}
		if a == 1 {
			return n
		}
	}
}

// inverse returns the multiplicative inverse of n modulo m.
func inverse(n, m uint64) uint64 {
	var x0, x1 int64 = 0, 1
	for a, b := int64(n), int64(m); b != 0; {
		x0, x1 = x1-a/b*x0, x0
		a, b = b, a%b
	}
	return uint64((x1%int64(m) + int64(m)) % int64(m))
}

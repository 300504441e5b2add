package field

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"baton/internal/longtest"
)

// most limits the memory of a process, whatever a server sends.
const most = 128 << 20

// repeated writes before, then n times part separated by commas, then behind. It needs little memory.
func repeated(w io.Writer, before, part string, n int, behind string) {
	io.WriteString(w, before)
	batch := max(1, (64<<10)/len(part))
	chunk := strings.Repeat(part+",", batch)
	for n--; n >= batch; n -= batch {
		io.WriteString(w, chunk)
	}
	io.WriteString(w, strings.Repeat(part+",", n)+part+behind)
}

// again writes before, then n times part.
func again(w io.Writer, before, part string, n int) {
	io.WriteString(w, before)
	chunk := strings.Repeat(part, 1000)
	for range n / 1000 {
		io.WriteString(w, chunk)
	}
}

// mebi is a sixtieth of the bytes sent. A short run sends an eighth of the data.
var mebi = longtest.Pick(1<<20/8, 1<<20)

// inShort keeps one of the cases in a short run.
func inShort[V any](cases map[string]V, name string) map[string]V {
	if longtest.Enabled {
		return cases
	}
	return map[string]V{name: cases[name]}
}

// TestMemoryIsBounded answers with 60 MB of data that would take much memory, and measures the peak of a
// sync, a revocation and the doctor.
func TestMemoryIsBounded(t *testing.T) {
	alphabet := `"a","b","c","d","e","f","g","h","i","j","k","l","m","n","o","p","q","r","s","t","u","v","w","x","y","z"`
	letters := 60 * mebi / (len(alphabet) + 1)
	long := strings.Repeat("x", mebi-20)
	for name, write := range inShort(map[string]func(w io.Writer){
		"one-letter ids, behind the name": func(w io.Writer) {
			repeated(w, `{"id":"g2","displayName":"Engineering","members":[`, alphabet, letters, `]}`)
		},
		"one-letter ids, in front of the name": func(w io.Writer) {
			repeated(w, `{"members":[`, alphabet, letters, `],"id":"g2","displayName":"Engineering"}`)
		},
		"one-letter ids, between id and name": func(w io.Writer) {
			repeated(w, `{"id":"g2","members":[`, alphabet, letters, `],"displayName":"Engineering"}`)
		},
		"one-letter ids in objects": func(w io.Writer) {
			repeated(w, `{"members":[`, `{"value":"a"},{"value":"b"}`, 60*mebi/28, `],"id":"g2","displayName":"Engineering"}`)
		},
		"empty members": func(w io.Writer) {
			repeated(w, `{"members":[`, `{}`, 20*mebi, `],"id":"g2","displayName":"Engineering"}`)
		},
		"one-letter devices": func(w io.Writer) {
			repeated(w, `{"members":[`, `{"value":"a","type":"Device"}`, 2*mebi, `],"id":"g2","displayName":"Engineering"}`)
		},
		"members with long ids": func(w io.Writer) {
			repeated(w, `{"members":[`, `"`+long+`"`, 60, `],"id":"g2","displayName":"Engineering"}`)
		},
		"a long name": func(w io.Writer) { repeated(w, `{"id":"g2","displayName":"`, `x`, 30*mebi, `","members":[]}`) },
		"many long names": func(w io.Writer) {
			repeated(w, `{"id":"g2",`, `"displayName":"`+long+`"`, 60, `,"members":[]}`)
		},
		"many attributes that nobody knows": func(w io.Writer) {
			repeated(w, `{"id":"g2","displayName":"E",`, `"attribute number one":1,"attribute number two":[{"x":1}]`, mebi, `,"members":[]}`)
		},
		"deep lists": func(w io.Writer) { again(w, `{"id":"g2","displayName":"E","x":`, "[", 30*mebi) },
		"deep lists of members": func(w io.Writer) {
			again(w, `{"id":"g2","displayName":"E","members":`, "[", 30*mebi)
		},
		"deep objects in a member": func(w io.Writer) {
			again(w, `{"id":"g2","displayName":"E","members":[`, `{"value":`, 6*mebi)
		},
		"members in an object with numeric keys": func(w io.Writer) {
			repeated(w, `{"members":{`, `"1":"a","2":"b"`, 60*mebi/16, `},"id":"g2","displayName":"E"}`)
		},
		"members in an object with unknown keys": func(w io.Writer) {
			repeated(w, `{"members":{`, `"aa":"a","ab":"b"`, 60*mebi/18, `},"id":"g2","displayName":"E"}`)
		},
		"escaped one-letter ids": func(w io.Writer) {
			repeated(w, `{"members":[`, `"\u0061","\u0062"`, 60*mebi/18, `],"id":"g2","displayName":"Engineering"}`)
		},
		"one-digit numbers": func(w io.Writer) {
			repeated(w, `{"members":[`, `0,1,2,3,4,5,6,7,8,9`, 3*mebi, `],"id":"g2","displayName":"Engineering"}`)
		},
		"one-letter ids in value objects": func(w io.Writer) {
			repeated(w, `{"members":[`, `{"value":{"id":"a"}},{"user":{"id":"b"}}`, 60*mebi/41, `],"id":"g2","displayName":"Engineering"}`)
		},
		"one-letter ids by id": func(w io.Writer) {
			repeated(w, `{"members":[`, `{"id":"a"},{"id":"b"}`, 60*mebi/22, `],"id":"g2","displayName":"Engineering"}`)
		},
		"one-letter ids by reference": func(w io.Writer) {
			repeated(w, `{"members":[`, `{"$ref":"/Users/a"},{"ref":"Users/%62"}`, 60*mebi/42, `],"id":"g2","displayName":"Engineering"}`)
		},
		"one-letter ids with nested extras": func(w io.Writer) {
			repeated(w, `{"members":[`, `{"value":"a","x":{"y":[1,{"z":[]}],"value":"q"},"meta":{"resourceType":"User"}}`, 60*mebi/80, `],"id":"g2","displayName":"Engineering"}`)
		},
		"one-letter ids in every form": func(w io.Writer) {
			repeated(w, `{"members":[`, `"a",1,{"value":"b"},{"id":"c"},{"$ref":"Users/d"},{"value":{"id":"e"}},"\u0066",{"value":"g","type":"x"},{"value":"h","type":"Group"},{"value":"i","type":"Device"},{"VALUE":"j"}`,
				60*mebi/180, `],"id":"g2","displayName":"Engineering"}`)
		},
		"one-letter members of unknown types": func(w io.Writer) {
			repeated(w, `{"members":[`, `{"value":"a","type":"x"},{"value":"b","type":"y"}`, 60*mebi/50, `],"id":"g2","displayName":"Engineering"}`)
		},
		"one-letter members with a type each": func(w io.Writer) {
			io.WriteString(w, `{"members":[`)
			many(w, `{"value":"a","type":"t%d"}`, 60*mebi/28)
			io.WriteString(w, `],"id":"g2","displayName":"Engineering"}`)
		},
		"one-letter nested groups": func(w io.Writer) {
			repeated(w, `{"members":[`, `{"value":"a","type":"Group"}`, 2*mebi, `],"id":"g2","displayName":"Engineering"}`)
		},
		"short ids, all different": func(w io.Writer) {
			io.WriteString(w, `{"members":[`)
			many(w, `"%d"`, 60*mebi/10)
			io.WriteString(w, `],"id":"g2","displayName":"Engineering"}`)
		},
		"short ids, all different, behind the name": func(w io.Writer) {
			io.WriteString(w, `{"id":"g2","displayName":"Engineering","members":[`)
			many(w, `"x%d"`, 60*mebi/11)
			io.WriteString(w, `]}`)
		},
		"devices, all different": func(w io.Writer) {
			io.WriteString(w, `{"id":"g2","displayName":"Engineering","members":[`)
			many(w, `{"value":"%d","type":"Device"}`, 60*mebi/38)
			io.WriteString(w, `]}`)
		},
		"addresses, all different": func(w io.Writer) {
			io.WriteString(w, `{"id":"g2","displayName":"Engineering","members":[`)
			many(w, `"p%d@acme.example"`, 60*mebi/26)
			io.WriteString(w, `]}`)
		},
		"as many addresses as are looked for": func(w io.Writer) {
			io.WriteString(w, `{"id":"g2","displayName":"Engineering","members":[`)
			many(w, `"p%d@acme.example"`, mebi/4-2)
			io.WriteString(w, `]}`)
		},
		"UUIDs, all different": func(w io.Writer) {
			io.WriteString(w, `{"id":"g2","displayName":"Engineering","members":[`)
			many(w, `"%08d-0000-4000-8000-00000000000A"`, 60*mebi/39)
			io.WriteString(w, `]}`)
		},
		"the attribute again and again": func(w io.Writer) {
			repeated(w, `{"id":"g2",`, `"members":["a"]`, 60*mebi/16, `,"displayName":"Engineering"}`)
		},
		"one letters in one text": func(w io.Writer) {
			repeated(w, `{"id":"g2","displayName":"Engineering","members":"`, `a,b`, 15*mebi, `"}`)
		},
		"a list in an envelope": func(w io.Writer) {
			repeated(w, `{"id":"g2","displayName":"Engineering","members":{"Resources":[`, `"a","b"`, 60*mebi/8, `]}}`)
		},
		"many short rows":                                func(w io.Writer) { many(w, `{"id":"%d"}`, 60*mebi/14) },
		"many rows that are the same":                    func(w io.Writer) { repeated(w, ``, `{"id":"g2"}`, 5*mebi, ``) },
		"a group with a name that comes again and again": func(w io.Writer) { repeated(w, `{"id":"g2",`, `"displayName":"E"`, 3*mebi, `,"members":[]}`) },
	}, "one-letter ids, in front of the name") {
		t.Run(name, func(t *testing.T) {
			o := small()
			p := perplexity(t, o.serve(t), "BATON_RETRY_FOR_SECONDS=1")
			if r := p.run(t); r.code != 0 {
				t.Fatal(r.stderr)
			}
			o.front = func(w http.ResponseWriter, r *http.Request) bool {
				switch {
				case strings.HasSuffix(r.URL.Path, "/Groups"):
					io.WriteString(w, `{"totalResults":2,"Resources":[{"id":"g1","displayName":"PPLX_Admin","members":[{"value":"u1"}]},`)
					write(w)
					io.WriteString(w, `]}`)
				case strings.HasSuffix(r.URL.Path, "/Groups/g2"):
					write(w)
				default:
					return false
				}
				return true
			}
			for _, args := range [][]string{{}, {"doctor"}, {"--revoke-grant", "group:g2:member:user:u2"}, {"--invoke-action", "disable_user", "--invoke-action-args", `{"user_id":"u2"}`}} {
				r := p.run(t, args...)
				t.Logf("%s: %q ends with %d, %d MiB", name, args, r.code, r.maxRSS>>20)
				if r.maxRSS > most {
					t.Errorf("%q held %d MiB, more than %d", args, r.maxRSS>>20, most>>20)
				}
			}
		})
	}
}

// many writes n numbered rows.
func many(w io.Writer, row string, n int) {
	for i := range n {
		if i > 0 {
			io.WriteString(w, ",")
		}
		fmt.Fprintf(w, row, i)
	}
}

// TestMemoryOfAccounts answers with 60 MB of accounts that would take much memory.
func TestMemoryOfAccounts(t *testing.T) {
	long := strings.Repeat("x", mebi-20)
	for name, write := range inShort(map[string]func(w io.Writer){
		"many addresses": func(w io.Writer) { repeated(w, `{"id":"u2","userName":"bob","emails":[`, `"a@b.c"`, 7*mebi, `]}`) },
		"long addresses": func(w io.Writer) {
			repeated(w, `{"id":"u2","userName":"bob","emails":[`, `"`+long+`"`, 60, `]}`)
		},
		"many groups": func(w io.Writer) { repeated(w, `{"id":"u2","userName":"bob","groups":[`, `"g2","g1"`, 6*mebi, `]}`) },
		"long attributes": func(w io.Writer) {
			repeated(w, ``, `{"id":"u2","userName":"`+long+`","displayName":"`+long+`","title":"`+long+`","name":{"givenName":"`+long+`","familyName":"`+long+`"}}`, 12, ``)
		},
		"long ids":           func(w io.Writer) { repeated(w, ``, `{"id":"`+long+`"}`, 60, ``) },
		"many short rows":    func(w io.Writer) { many(w, `{"id":"u%d"}`, 60*mebi/15) },
		"unknown attributes": func(w io.Writer) { repeated(w, `{"id":"u2","userName":"bob",`, `"x":{"y":[1,2,3]}`, 3*mebi, `}`) },
	}, "many groups") {
		t.Run(name, func(t *testing.T) {
			o := small()
			p := perplexity(t, o.serve(t), "BATON_RETRY_FOR_SECONDS=1")
			o.front = func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, "/Users") {
					return false
				}
				io.WriteString(w, `{"totalResults":3,"Resources":[{"id":"u1","userName":"ann","active":true},`)
				write(w)
				io.WriteString(w, `]}`)
				return true
			}
			for _, args := range [][]string{{}, {"doctor"}, {"--create-account-email", "zoe@acme.example", "--create-account-profile", `{"display_name":"Zoe"}`}} {
				r := p.run(t, args...)
				t.Logf("%s: %q ends with %d, %d MiB", name, args, r.code, r.maxRSS>>20)
				if r.maxRSS > most {
					t.Errorf("%q held %d MiB, more than %d", args, r.maxRSS>>20, most>>20)
				}
			}
		})
	}
}

// TestLargeGroup reads and changes a group of 250,000 accounts.
func TestLargeGroup(t *testing.T) {
	longtest.Only(t)
	const n = 250_000
	o := small()
	for i := range n {
		id := fmt.Sprintf("directory_user_01HCH1XJXP1P3X5YRW%07d", i)
		o.accounts = append(o.accounts, &account{id: id, userName: fmt.Sprintf("person%d@acme.example", i)})
		o.teams[1].members = append(o.teams[1].members, id)
	}
	for _, u := range o.accounts[:3] {
		u.id = "directory_user_01HCH1XJXP1P3X5YRW" + u.id
	}
	o.teams[0].members[0] = o.accounts[0].id
	o.teams[1].members = o.teams[1].members[2:]
	o.shape = func(g *team) string {
		return array(func(id string) string {
			return `{"value":"` + id + `","display":"Somebody","type":"User","$ref":"https://idp.example/scim/v2/Users/` + id + `"}`
		})(g.members)
	}
	p := perplexity(t, o.serve(t))
	somebody := o.teams[1].members[1000]
	for _, args := range [][]string{{}, {"doctor"}, {"--revoke-grant", "group:g2:member:user:" + somebody}, {"--revoke-grant", "group:g2:member:user:" + somebody}} {
		before, begun := o.requestCount(), time.Now()
		r := p.run(t, args...)
		t.Logf("%q ends with %d after %s and %d requests, %d MiB", args, r.code, time.Since(begun).Round(time.Second/100), o.requestCount()-before, r.maxRSS>>20)
		if r.code != 0 {
			t.Error(r.stderr)
		}
		if r.maxRSS > 2*most {
			t.Errorf("%q held %d MiB, more than %d", args, r.maxRSS>>20, 2*most>>20)
		}
		if len(args) == 0 && len(p.grants(t)) != n+1 {
			t.Errorf("%d grants", len(p.grants(t)))
		}
	}
	if o.has("g2", somebody) {
		t.Error("the revocation was not carried out")
	}
}

package console_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"baton"
	. "baton/console"
)

const fine baton.Kind = -1

func hour(n int) Duration { return Duration(n) * Duration(time.Hour) }

func TestDurations(t *testing.T) {
	for text, want := range map[string]Duration{"": 0, "0s": 0, "90m": hour(1) + hour(1)/2, "1.5h": hour(1) + hour(1)/2, "2w3d": hour(17 * 24), "1D 2H": hour(26), "500s": Duration(500 * time.Second), "3600s": hour(1)} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"1", "h", "-1h", "1x", "1..h", "PT8H", "9999999w", "1h30", "∞"} {
		if d, err := ParseDuration(text); baton.KindOf(err) != baton.Invalid {
			t.Errorf("%q: %v, %v", text, d, err)
		}
	}
	for d, want := range map[Duration]string{0: "0s no time", hour(1): "1h 1 hour", hour(49) + Duration(time.Second): "2d1h1s 2 days 1 hour 1 second"} {
		if got := d.String() + " " + d.Words(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestRequestCheck(t *testing.T) {
	limited := RequestSettings{Requestable: RequestableYes, Longest: hour(8), Form: []RequestField{{Name: "ticket", Label: "Ticket", Required: true}}}
	ok := Request{Why: "x", Term: Term{For: hour(8)}, Form: map[string]string{"ticket": "1"}}
	edit := func(fn func(*Request)) Request { r := ok; fn(&r); return r }
	for name, tt := range map[string]struct {
		settings RequestSettings
		r        Request
		want     baton.Kind
	}{
		"fine":                         {limited, ok, fine},
		"no limit":                     {RequestSettings{Requestable: RequestableYes}, edit(func(r *Request) { r.Term = Term{} }), fine},
		"not requestable":              {RequestSettings{Requestable: RequestableNo}, ok, baton.Refused},
		"nobody said":                  {RequestSettings{}, ok, baton.Refused},
		"no justification":             {limited, edit(func(r *Request) { r.Why = " \n" }), baton.Invalid},
		"a long justification":         {limited, edit(func(r *Request) { r.Why = strings.Repeat("x", 5000) }), baton.Invalid},
		"no answer":                    {limited, edit(func(r *Request) { r.Form = nil }), baton.Invalid},
		"too long":                     {limited, edit(func(r *Request) { r.Term.For++ }), baton.Refused},
		"open-ended":                   {limited, edit(func(r *Request) { r.Term = Term{} }), baton.Refused},
		"a clock time in the limit":    {limited, edit(func(r *Request) { r.Term = Term{Until: hours(8)} }), fine},
		"a clock time too late":        {limited, edit(func(r *Request) { r.Term = Term{Until: hours(9)} }), baton.Refused},
		"from the start":               {limited, edit(func(r *Request) { r.Start, r.Term = hours(4), Term{Until: hours(12)} }), fine},
		"it ends before it begins":     {limited, edit(func(r *Request) { r.Start, r.Term = hours(4), Term{Until: hours(3)} }), baton.Invalid},
		"it has ended":                 {limited, edit(func(r *Request) { r.Term = Term{Until: noon} }), baton.Invalid},
		"both":                         {limited, edit(func(r *Request) { r.Term.Until = hours(1) }), baton.Invalid},
		"an emergency without policy":  {limited, edit(func(r *Request) { r.Emergency = true }), baton.Refused},
		"a negative duration":          {limited, edit(func(r *Request) { r.Term.For = -1 }), baton.Invalid},
		"an emergency with its policy": {RequestSettings{Requestable: RequestableYes, Emergency: EmergencyPolicy}, edit(func(r *Request) { r.Emergency = true }), fine},
	} {
		if err := tt.r.Check(tt.settings, noon); (err != nil) != (tt.want != fine) || err != nil && baton.KindOf(err) != tt.want {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	// Clients parse the limit in this text.
	err := edit(func(r *Request) { r.Term = Term{} }).Check(limited, noon)
	if err == nil || !strings.Contains(err.Error(), "grant duration must be less than or equal to max provision time (8h)") {
		t.Errorf("%v", err)
	}
}

func TestShorten(t *testing.T) {
	for name, tt := range map[string]struct {
		have, chosen, want Term
		kind               baton.Kind
	}{
		"nothing chosen":             {Term{For: hour(4)}, Term{}, Term{For: hour(4)}, fine},
		"shorter":                    {Term{For: hour(4)}, Term{For: hour(2)}, Term{For: hour(2)}, fine},
		"longer":                     {Term{For: hour(4)}, Term{For: hour(5)}, Term{For: hour(4)}, baton.Refused},
		"a duration for an open end": {Term{}, Term{For: hour(2)}, Term{For: hour(2)}, fine},
		"a clock time":               {Term{For: hour(4)}, Term{Until: hours(3)}, Term{Until: hours(3)}, fine},
		"a later clock time":         {Term{For: hour(4)}, Term{Until: hours(5)}, Term{For: hour(4)}, baton.Refused},
		"a clock time that passed":   {Term{}, Term{Until: noon}, Term{}, baton.Invalid},
		"of a clock time":            {Term{Until: hours(4)}, Term{For: hour(3)}, Term{For: hour(3)}, fine},
		"longer than a clock time":   {Term{Until: hours(4)}, Term{For: hour(5)}, Term{Until: hours(4)}, baton.Refused},
	} {
		got, err := tt.have.ShortenTo(tt.chosen, noon)
		if got != tt.want || (err != nil) != (tt.kind != fine) || err != nil && baton.KindOf(err) != tt.kind {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for _, tt := range []struct {
		term Term
		end  time.Time
		text string
	}{
		{Term{For: hour(2)}, hours(2), "for 2 hours"},
		{Term{Until: hours(3)}, hours(3), "until 29 Nov 2026 15:00 UTC"},
		{Term{}, time.Time{}, "without end"},
	} {
		if tt.term.End(noon) != tt.end || tt.term.Words() != tt.text {
			t.Errorf("%+v: %v %q", tt.term, tt.term.End(noon), tt.term.Words())
		}
	}
}

func TestRequestSettings(t *testing.T) {
	none := RequestSettings{}
	first := none.Resolve(none, false)
	if first.Requestable != RequestableYes || first.Policy != StandardPolicy || first.Longest != 0 || !slices.Equal(first.Presets, DefaultPresets) {
		t.Errorf("on the first day: %+v", first)
	}
	if s := none.Resolve(RequestSettings{Policy: "own"}, true); s.Policy != PrivilegedPolicy {
		t.Errorf("an app's policy counts for its administrators: %+v", s)
	}
	if s := (RequestSettings{Policy: "mine"}).Resolve(RequestSettings{Policy: "own"}, true); s.Policy != "mine" {
		t.Errorf("%+v", s)
	}
	if s := none.Resolve(RequestSettings{Policy: "own", Requestable: RequestableNo}, false); s.Policy != "own" || s.Requestable != RequestableNo {
		t.Errorf("%+v", s)
	}
	if s := (RequestSettings{Longest: hour(40), Requestable: RequestableYes}).Resolve(RequestSettings{Longest: hour(10), Requestable: RequestableNo}, false); s.Longest != hour(10) ||
		s.Requestable != RequestableYes || !slices.Equal(s.Presets, []Duration{hour(1), hour(8), hour(10)}) {
		t.Errorf("%+v", s)
	}
	before := RequestSettings{Requestable: RequestableYes, Longest: hour(8), Policy: "p", Owners: []ID{"a"}}
	for name, tt := range map[string]struct {
		edit    func(*RequestSettings)
		atLeast bool
	}{
		"nothing":         {func(*RequestSettings) {}, true},
		"shorter":         {func(s *RequestSettings) { s.Longest = hour(4) }, true},
		"longer":          {func(s *RequestSettings) { s.Longest = hour(9) }, false},
		"no limit":        {func(s *RequestSettings) { s.Longest = 0 }, false},
		"closed":          {func(s *RequestSettings) { s.Requestable = RequestableNo }, true},
		"as the app says": {func(s *RequestSettings) { s.Requestable = RequestableDefault }, false},
		"an owner fewer":  {func(s *RequestSettings) { s.Owners = nil }, true},
		"an owner more":   {func(s *RequestSettings) { s.Owners = []ID{"a", "b"} }, false},
		"another policy":  {func(s *RequestSettings) { s.Policy = "q" }, false},
		"no policy":       {func(s *RequestSettings) { s.Policy = "" }, false},
		"emergencies":     {func(s *RequestSettings) { s.Emergency = "e" }, false},
		"by hand":         {func(s *RequestSettings) { s.Manual = true }, false},
		"other presets":   {func(s *RequestSettings) { s.Presets = []Duration{1} }, true},
		"a question more": {func(s *RequestSettings) { s.Form = []RequestField{{Name: "x"}} }, true},
	} {
		s := before
		tt.edit(&s)
		if got := s.AtLeast(before); got != tt.atLeast {
			t.Errorf("%s: %t, want %t", name, got, tt.atLeast)
		}
	}
}

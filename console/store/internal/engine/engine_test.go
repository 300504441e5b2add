package engine

import (
	"testing"
	"testing/fstest"
	"time"
)

func TestForSQLite(t *testing.T) {
	for in, want := range map[string]string{
		"SELECT a FROM t WHERE b = $1 AND c = $12": "SELECT a FROM t WHERE b = ?1 AND c = ?12",
		"SELECT a FROM t FOR UPDATE":               "SELECT a FROM t",
		"UPDATE t SET a = 1 WHERE id IN (SELECT id FROM t LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED) RETURNING id": "UPDATE t SET a = 1 WHERE id IN (SELECT id FROM t LIMIT ?1) RETURNING id",
		"UPDATE t SET a = 1 WHERE id IN (SELECT id FROM t LIMIT $1 FOR UPDATE SKIP LOCKED) RETURNING id":        "UPDATE t SET a = 1 WHERE id IN (SELECT id FROM t LIMIT ?1) RETURNING id",
		"SELECT a FROM t FOR SHARE":                     "SELECT a FROM t",
		"SELECT a FROM t FOR KEY SHARE":                 "SELECT a FROM t",
		"SELECT ' FOR UPDATE', 'it''s $1', $2 FROM t":   "SELECT ' FOR UPDATE', 'it''s $1', ?2 FROM t",
		"SELECT ' unterminated $1":                      "SELECT ' unterminated $1",
		"SELECT a FROM t FOR UPDATES":                   "SELECT a FROM t FOR UPDATES",
		"SELECT '$' || a FROM t WHERE c = '$2' OR d=$3": "SELECT '$' || a FROM t WHERE c = '$2' OR d=?3",
	} {
		if got := ForSQLite(in); got != want {
			t.Errorf("%s\nbecomes %s\nwant    %s", in, got, want)
		}
	}
}

func TestArg(t *testing.T) {
	type id string
	type key int64
	at := time.Date(2026, 11, 29, 12, 0, 0, 1500, time.UTC)
	for _, tt := range []struct{ in, want any }{
		{nil, nil}, {id("a"), "a"}, {key(7), int64(7)}, {3, int64(3)}, {true, true}, {time.Time{}, nil},
		{at, at.UnixMicro()}, {time.Second, int64(1e6)},
	} {
		if got := Arg(tt.in); got != tt.want {
			t.Errorf("%#v becomes %#v, want %#v", tt.in, got, tt.want)
		}
	}
	if got := Arg([2]byte{1, 2}).([]byte); string(got) != "\x01\x02" {
		t.Errorf("an array becomes %v", got)
	}
	if got := Time(at.UnixMicro()); !got.Equal(at.Truncate(time.Microsecond)) || got.Location() != time.UTC {
		t.Errorf("a time comes back as %v", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("a float is an argument")
		}
	}()
	Arg(1.5)
}

func TestMigrationsAreNumbered(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	all, err := Migrations(fstest.MapFS{"0002_b.sql": file("b"), "0001_a.sql": file("a")})
	if err != nil || len(all) != 2 || all[0].SQL != "a" || all[1].Number != 2 || all[0].Sum == all[1].Sum {
		t.Fatalf("%v, %v", all, err)
	}
	for _, dir := range []fstest.MapFS{{"0001_a.sql": file(""), "0003_c.sql": file("")}, {"1_a.sql": file("")}, {"0001_a.sql": file(""), "0001_b.sql": file("")}} {
		if _, err := Migrations(dir); err == nil {
			t.Errorf("%v is accepted", dir)
		}
	}
}

func TestWatchers(t *testing.T) {
	var w Watchers
	a, stop := w.Watch("a")
	b, _ := w.Watch("b")
	w.Wake("a")
	w.Wake("a")
	<-a
	select {
	case <-a:
		t.Error("two wake-ups are two")
	case <-b:
		t.Error("another topic woke")
	default:
	}
	w.WakeAll()
	<-a
	<-b
	stop()
	w.Wake("a")
	select {
	case <-a:
		t.Error("woken after the watch ended")
	default:
	}
}

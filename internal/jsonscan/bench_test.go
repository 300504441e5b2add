package jsonscan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// page returns n rows in the style of reports and lists: many fields, few of which are read.
func page(n int) []byte {
	var b bytes.Buffer
	b.WriteByte('[')
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"audience":"All Users, Engineering, %d","userUuid":"00000000-0000-4000-8000-%012d","businessUnit":"Technology","score":%d,`+
			`"duration":"00:15:00","emailAddress":"first.last%d@example.com","status":"Started","firstAccess":"2025-03-01T12:00:00Z","passed":true,`+
			`"lastAccess":"2025-03-02T12:00:00Z","custom":{"a":[1,2,3],"b":null},"notes":"%s"}`, i%7, i, i%100, i, strings.Repeat("word ", 40))
	}
	b.WriteByte(']')
	return b.Bytes()
}

const rowsOfPage = 1000

func BenchmarkTwoFields(b *testing.B) {
	body := page(rowsOfPage)
	src := bytes.NewReader(body)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(body)
		s := New(src)
		n := 0
		for s.Array(); s.Element(); {
			for s.Object(); s.Field(); {
				switch string(s.Name()) {
				case "userUuid", "status":
					n += len(s.Text())
				default:
					s.Skip()
				}
			}
		}
		if s.End() != nil || n == 0 {
			b.Fatal(s.Err())
		}
		s.Free()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rowsOfPage, "ns/row")
}

// BenchmarkTwoFieldsEncodingJSON is the reference.
func BenchmarkTwoFieldsEncodingJSON(b *testing.B) {
	body := page(rowsOfPage)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var rows []struct{ UserUUID, Status string }
		if err := json.Unmarshal(body, &rows); err != nil || len(rows) != rowsOfPage {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rowsOfPage, "ns/row")
}

func BenchmarkSkip(b *testing.B) {
	body := page(rowsOfPage)
	src := bytes.NewReader(body)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(body)
		s := New(src)
		if s.Skip(); s.End() != nil {
			b.Fatal(s.Err())
		}
		s.Free()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rowsOfPage, "ns/row")
}

// BenchmarkTwoKnown is BenchmarkTwoFields with known names.
func BenchmarkTwoKnown(b *testing.B) {
	body := page(rowsOfPage)
	src := bytes.NewReader(body)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(body)
		s := New(src)
		names := NewNames([]string{"userUuid", "status"})
		n := 0
		for s.Array(); s.Element(); {
			for s.Object(); s.Known(names); {
				n += len(s.Text())
			}
		}
		if s.End() != nil || n == 0 {
			b.Fatal(s.Err())
		}
		s.Free()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rowsOfPage, "ns/row")
}

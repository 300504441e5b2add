package batonv1_test

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/testing/protocmp"

	"baton/internal/pb/batonv1"
)

// TestGolden holds the declarations against bytes that were written by hand from the
// protocol's field numbers. A file is the message's name, its JSON, and the bytes:
// hex or quoted text, # starts a remark.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 10 {
		t.Fatalf("golden files: %d, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name, rest, _ := strings.Cut(string(b), "\n")
			text, rest, _ := strings.Cut(rest, "\n")
			checkVector(t, name, text, handWritten(t, rest))
		})
	}
}

// TestRecorded does the same with what official programs sent and were sent. It needs
// the recordings that are kept beside the repository where the project is developed.
func TestRecorded(t *testing.T) {
	f, err := os.Open(filepath.Join("..", "..", "..", "..", "shared", "recorded", "wire-vectors.jsonl"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("no recordings here")
	} else if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	n := 0
	for ; lines.Scan(); n++ {
		var v struct {
			Message, Hex string
			JSON         json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		t.Run(fmt.Sprintf("%d/%s", n, v.Message), func(t *testing.T) {
			want, err := hex.DecodeString(v.Hex)
			if err != nil {
				t.Fatal(err)
			}
			checkVector(t, v.Message, string(v.JSON), want)
		})
	}
	if err := lines.Err(); err != nil || n == 0 {
		t.Fatalf("%d recordings: %v", n, err)
	}
}

// checkVector wants the JSON to encode to the bytes, and the bytes to decode to the
// same message with nothing in it that is not declared.
func checkVector(t *testing.T, name, text string, want []byte) {
	t.Helper()
	typ, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(name))
	if err != nil {
		t.Fatal(err)
	}
	fromJSON, fromBytes := typ.New().Interface(), typ.New().Interface()
	if err := protojson.Unmarshal([]byte(text), fromJSON); err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(want, fromBytes); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fromJSON, fromBytes, protocmp.Transform()); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
	for _, m := range []proto.Message{fromJSON, fromBytes} {
		got, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(hex.EncodeToString(want), hex.EncodeToString(got)); diff != "" {
			t.Errorf("encoded (-want +got):\n%s", diff)
		}
	}
}

func handWritten(t *testing.T, text string) []byte {
	t.Helper()
	var out []byte
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		for _, word := range strings.Fields(line) {
			if quoted, ok := strings.CutPrefix(word, `"`); ok {
				out = append(out, strings.TrimSuffix(quoted, `"`)...)
				continue
			}
			b, err := hex.DecodeString(word)
			if err != nil {
				t.Fatalf("%q: %v", word, err)
			}
			out = append(out, b...)
		}
	}
	return out
}

// TestMethods pins the names that both sides must call each other by.
func TestMethods(t *testing.T) {
	want := []string{
		batonv1.BatonService_Hello_FullMethodName,
		batonv1.BatonService_GetTask_FullMethodName,
		batonv1.BatonService_GetTasks_FullMethodName,
		batonv1.BatonService_Heartbeat_FullMethodName,
		batonv1.BatonService_FinishTask_FullMethodName,
		batonv1.BatonService_UploadAsset_FullMethodName,
		batonv1.BatonService_StartDebugging_FullMethodName,
	}
	for i, method := range []string{"Hello", "GetTask", "GetTasks", "Heartbeat", "FinishTask", "UploadAsset", "StartDebugging"} {
		if got := "/c1.connectorapi.baton.v1.BatonService/" + method; got != want[i] {
			t.Errorf("%s, want %s", want[i], got)
		}
	}
}

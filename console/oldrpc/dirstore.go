package rpc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"baton"
	"baton/internal/pb/batonv1"
)

// DirStore is a Store in a directory, a JSON file for each record:
//
//	credentials/<SHA-256 of the client id>.json
//	tasks/<task id>.json
//	hellos/<SHA-256 of connector and host>.json
//
// Messages of the protocol are in them as base64 of their bytes. A file is replaced as
// a whole: what a crash leaves behind is the record before or after, never half of one.
type DirStore struct{ dir string }

const (
	credentialsDir = "credentials"
	tasksDir       = "tasks"
	hellosDir      = "hellos"
)

// NewDirStore is the store in a directory, which is made if it does not exist.
func NewDirStore(dir string) (*DirStore, error) {
	for _, sub := range []string{credentialsDir, tasksDir, hellosDir} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, baton.Errorf(baton.Storage, "rpc: %w", err)
		}
	}
	return &DirStore{dir: dir}, nil
}

// taskFile is a Task as it is stored. Its own fields hide those of the Task.
type taskFile struct {
	Task
	Work   []byte
	Result resultFile
}

type resultFile struct {
	Result
	Status, Response []byte `json:",omitempty"`
	Annotations      [][]byte
}

type helloFile struct {
	Hello
	Request []byte
}

// Load reads every record.
func (d *DirStore) Load(context.Context) (State, error) {
	var state State
	err := errors.Join(
		each(filepath.Join(d.dir, credentialsDir), func(b []byte) error {
			var c Credential
			err := json.Unmarshal(b, &c)
			state.Credentials = append(state.Credentials, c)
			return err
		}),
		each(filepath.Join(d.dir, tasksDir), func(b []byte) error {
			t, err := decodeTask(b)
			state.Tasks = append(state.Tasks, t)
			return err
		}),
		each(filepath.Join(d.dir, hellosDir), func(b []byte) error {
			var f helloFile
			if err := json.Unmarshal(b, &f); err != nil {
				return err
			}
			f.Hello.Request = &batonv1.BatonServiceHelloRequest{}
			state.Hellos = append(state.Hellos, f.Hello)
			return proto.Unmarshal(f.Request, f.Hello.Request)
		}),
	)
	if err != nil {
		return State{}, baton.Errorf(baton.Corrupt, "rpc: load: %w", err)
	}
	return state, nil
}

// SaveCredential replaces the file of a credential.
func (d *DirStore) SaveCredential(_ context.Context, c Credential) error {
	return d.save(credentialsDir, hashed(c.ClientID), c)
}

// SaveTask replaces the file of a task.
func (d *DirStore) SaveTask(_ context.Context, t Task) error {
	f := taskFile{Task: t, Result: resultFile{Result: t.Result}}
	var err error
	encode := func(m proto.Message) []byte {
		b, e := proto.Marshal(m)
		err = errors.Join(err, e)
		return b
	}
	f.Work = encode(t.Work)
	if t.Result.Status != nil {
		f.Result.Status = encode(t.Result.Status)
	}
	if t.Result.Response != nil {
		f.Result.Response = encode(t.Result.Response)
	}
	for _, a := range t.Result.Annotations {
		f.Result.Annotations = append(f.Result.Annotations, encode(a))
	}
	if err != nil {
		return baton.Errorf(baton.Internal, "rpc: save task %s: %w", t.ID, err)
	}
	return d.save(tasksDir, t.ID, f)
}

// SaveHello replaces the file of a host.
func (d *DirStore) SaveHello(_ context.Context, h Hello) error {
	b, err := proto.Marshal(h.Request)
	if err != nil {
		return baton.Errorf(baton.Internal, "rpc: save hello: %w", err)
	}
	return d.save(hellosDir, hashed(h.Connector+"\x00"+h.Host), helloFile{Hello: h, Request: b})
}

func decodeTask(b []byte) (Task, error) {
	var f taskFile
	if err := json.Unmarshal(b, &f); err != nil {
		return Task{}, err
	}
	t := f.Task
	t.Work, t.Result = &batonv1.Task{}, f.Result.Result
	err := proto.Unmarshal(f.Work, t.Work)
	if f.Result.Status != nil {
		t.Result.Status = &status.Status{}
		err = errors.Join(err, proto.Unmarshal(f.Result.Status, t.Result.Status))
	}
	if f.Result.Response != nil {
		t.Result.Response = &anypb.Any{}
		err = errors.Join(err, proto.Unmarshal(f.Result.Response, t.Result.Response))
	}
	for _, b := range f.Result.Annotations {
		a := &anypb.Any{}
		err = errors.Join(err, proto.Unmarshal(b, a))
		t.Result.Annotations = append(t.Result.Annotations, a)
	}
	return t, err
}

// save writes a record beside its file and renames it into place.
func (d *DirStore) save(sub, name string, record any) error {
	dir := filepath.Join(d.dir, sub)
	b, err := json.MarshalIndent(record, "", "  ")
	if err != nil {
		return baton.Errorf(baton.Internal, "rpc: save %s: %w", sub, err)
	}
	err = replace(filepath.Join(dir, name+".json"), append(b, '\n'))
	if err != nil {
		return baton.Errorf(baton.Storage, "rpc: save %s: %w", sub, err)
	}
	return nil
}

func replace(name string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), "*"+partSuffix)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(name))
}

func each(dir string, read func([]byte) error) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".json" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := read(b); err != nil {
			return errors.Join(errors.New(path), err)
		}
		return nil
	})
}

func hashed(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

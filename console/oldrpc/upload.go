package rpc

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"google.golang.org/grpc"

	"baton"
	"baton/internal/pb/batonv1"
)

// partSuffix marks an upload that is not whole yet.
const partSuffix = ".part"

// UploadAsset takes a file: the metadata, the bytes, the checksum, in this order. The
// file is there under its name only once all of it is on the disk and the checksum fits.
func (s service) UploadAsset(stream grpc.ClientStreamingServer[batonv1.BatonServiceUploadAssetRequest, batonv1.BatonServiceUploadAssetResponse]) error {
	ctx := stream.Context()
	first, err := stream.Recv()
	if err != nil {
		return ended(err)
	}
	metadata := first.GetMetadata()
	if metadata == nil {
		return baton.Errorf(baton.Invalid, "upload: it does not begin with its metadata")
	}
	if err := s.queue.mayUpload(caller(ctx), metadata.GetHostId(), metadata.GetTaskId()); err != nil {
		return err
	}
	file, err := newUpload(s.assets(), metadata.GetTaskId())
	if err != nil {
		return err
	}
	defer file.discard()
	if err := s.receive(stream, file); err != nil {
		return err
	}
	asset, err := file.keep()
	if err != nil {
		return err
	}
	asset.Host = metadata.GetHostId()
	added, err := s.queue.addAsset(ctx, caller(ctx), metadata.GetTaskId(), asset)
	if !added {
		err = errors.Join(err, os.Remove(asset.Path))
	}
	if err != nil {
		return err
	}
	return stream.SendAndClose(&batonv1.BatonServiceUploadAssetResponse{})
}

// receive writes the bytes of an upload and checks them when the checksum comes.
func (s service) receive(stream grpc.ClientStreamingServer[batonv1.BatonServiceUploadAssetRequest, batonv1.BatonServiceUploadAssetResponse], file *upload) error {
	for {
		msg, err := stream.Recv()
		if err != nil {
			return ended(err)
		}
		switch part := msg.GetMsg().(type) {
		case *batonv1.BatonServiceUploadAssetRequest_Data:
			if err := file.write(part.Data.GetData(), s.config.MaxUpload); err != nil {
				return err
			}
		case *batonv1.BatonServiceUploadAssetRequest_Eof:
			_, damaged := s.faults.happens("upload-checksum")
			if damaged || !bytes.Equal(part.Eof.GetSha256Checksum(), file.hash.Sum(nil)) {
				return baton.Errorf(baton.Corrupt, "upload: the checksum does not fit the bytes")
			}
			if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
				return baton.Errorf(baton.Invalid, "upload: it goes on after its checksum")
			}
			return nil
		default:
			return baton.Errorf(baton.Invalid, "upload: a second metadata")
		}
	}
}

// ended is the error of a stream that ended before its checksum.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return baton.Errorf(baton.Invalid, "upload: it ended before its checksum")
	}
	return err
}

// upload is a file on its way to the disk.
type upload struct {
	file *os.File
	hash hash.Hash
	size int64
}

func newUpload(dir, taskID string) (*upload, error) {
	f, err := os.CreateTemp(dir, taskID+"-*"+partSuffix)
	if err != nil {
		return nil, baton.Errorf(baton.Storage, "upload: %w", err)
	}
	return &upload{file: f, hash: sha256.New()}, nil
}

func (u *upload) write(b []byte, most int64) error {
	u.size += int64(len(b))
	if u.size > most {
		return baton.Errorf(baton.Invalid, "upload: more than %d bytes", most)
	}
	u.hash.Write(b)
	if _, err := u.file.Write(b); err != nil {
		return baton.Errorf(baton.Storage, "upload: %w", err)
	}
	return nil
}

// keep puts the file on the disk under its name.
func (u *upload) keep() (Asset, error) {
	name := strings.TrimSuffix(u.file.Name(), partSuffix)
	err := errors.Join(u.file.Sync(), u.file.Close())
	if err == nil {
		err = os.Rename(u.file.Name(), name)
	}
	if err == nil {
		err = syncDir(filepath.Dir(name))
	}
	if err != nil {
		return Asset{}, baton.Errorf(baton.Storage, "upload: %w", err)
	}
	return Asset{Path: name, Size: u.size, SHA256: hex.EncodeToString(u.hash.Sum(nil))}, nil
}

// discard removes what was not kept.
func (u *upload) discard() {
	_ = u.file.Close()
	_ = os.Remove(u.file.Name()) // gone already if it was kept
}

// syncDir makes a rename in a directory last. Windows has no such call and needs none.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

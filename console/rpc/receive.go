package rpc

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"time"

	"github.com/segmentio/ksuid"
	"google.golang.org/grpc"

	"baton"
	"baton/internal/pb/batonv1"
)

type uploadStream = grpc.ClientStreamingServer[batonv1.BatonServiceUploadAssetRequest, batonv1.BatonServiceUploadAssetResponse]

// UploadAsset receives a file: the metadata, the data, the checksum, in this order. The
// file counts once the checksum was verified, the store has finished the upload, and
// [Config.Received] took it.
func (s service) UploadAsset(stream uploadStream) error {
	ctx := stream.Context()
	first, err := stream.Recv()
	if err != nil {
		return endOfUpload(err)
	}
	metadata := first.GetMetadata()
	if metadata == nil {
		return baton.Errorf(baton.Invalid, "the upload does not begin with its metadata")
	}
	r := &receiver{server: s.Server, id: ksuid.New().String(), hash: sha256.New(),
		holder: Holder{Connector: caller(ctx), Host: metadata.GetHostId(), Task: metadata.GetTaskId()}}
	upload, err := r.receive(ctx, stream)
	if err == nil && s.config.Received != nil {
		err = s.config.Received(ctx, upload, UploadReader(ctx, s.config.Store, upload))
		r.id = upload.ID // refused: it must not count
	}
	if err != nil {
		r.discard(ctx)
		s.log.WarnContext(ctx, "an upload was refused", "connector", r.holder.Connector, "host", r.holder.Host,
			"task", r.holder.Task, "bytes", r.size, "reason", err)
		return err
	}
	s.log.InfoContext(ctx, "an upload was received", "connector", upload.Connector, "host", upload.Lease.Host,
		"task", upload.Task, "kind", upload.Kind, "bytes", upload.Size)
	return stream.SendAndClose(&batonv1.BatonServiceUploadAssetResponse{})
}

// receiver writes one upload into the store.
type receiver struct {
	server *Server
	holder Holder
	id     string
	began  bool
	hash   hash.Hash
	size   int64
	chunks int
	buf    []byte // received, not in the store yet, at most MaxChunk bytes
}

// receive reads the data and the checksum and returns the finished upload.
func (r *receiver) receive(ctx context.Context, stream uploadStream) (Upload, error) {
	for {
		m, err := stream.Recv()
		if err != nil {
			return Upload{}, endOfUpload(err)
		}
		switch part := m.GetMsg().(type) {
		case *batonv1.BatonServiceUploadAssetRequest_Data:
			if err := r.write(ctx, part.Data.GetData()); err != nil {
				return Upload{}, err
			}
		case *batonv1.BatonServiceUploadAssetRequest_Eof:
			if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
				return Upload{}, baton.Errorf(baton.Invalid, "the upload continues after its checksum")
			}
			return r.finish(ctx, part.Eof.GetSha256Checksum())
		default:
			return Upload{}, baton.Errorf(baton.Invalid, "the upload has metadata twice")
		}
	}
}

// endOfUpload returns the error of a stream that ended before its checksum.
func endOfUpload(err error) error {
	if errors.Is(err, io.EOF) {
		return baton.Errorf(baton.Invalid, "the upload ended before its checksum")
	}
	return err
}

// write adds data to the upload.
func (r *receiver) write(ctx context.Context, data []byte) error {
	if err := r.begin(ctx, data); err != nil {
		return err
	}
	r.hash.Write(data)
	r.size += int64(len(data))
	if limit := r.server.config.MaxUpload; r.size > limit {
		return baton.Errorf(baton.Invalid, "the upload is larger than %d bytes, the limit of this server", limit)
	}
	for len(data) > 0 {
		n := min(len(data), MaxChunk-len(r.buf))
		r.buf, data = append(r.buf, data[:n]...), data[n:]
		if len(r.buf) == MaxChunk {
			if err := r.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin begins the upload in the store after its first bytes have arrived.
func (r *receiver) begin(ctx context.Context, head []byte) error {
	if r.began {
		return nil
	}
	_, err := r.server.config.Store.BeginUpload(ctx, r.server.config.Now(), r.id, r.holder, UploadKindOf(head))
	r.began = err == nil
	return err
}

func (r *receiver) flush(ctx context.Context) error {
	err := r.server.config.Store.AppendUpload(ctx, r.server.config.Now(), r.id, r.chunks, r.buf)
	r.buf = r.buf[:0]
	r.chunks++
	return err
}

// finish verifies the checksum and adds the upload to its task.
func (r *receiver) finish(ctx context.Context, checksum []byte) (Upload, error) {
	if err := r.begin(ctx, nil); err != nil {
		return Upload{}, err
	}
	var sum [sha256.Size]byte
	r.hash.Sum(sum[:0])
	if string(checksum) != string(sum[:]) {
		return Upload{}, baton.Errorf(baton.Corrupt, "the checksum of the upload is %x, and the %d bytes received have %x", checksum, r.size, sum)
	}
	if len(r.buf) > 0 {
		if err := r.flush(ctx); err != nil {
			return Upload{}, err
		}
	}
	return r.server.config.Store.FinishUpload(ctx, r.server.config.Now(), r.id, r.size, sum)
}

// discard removes an incomplete upload, even if the client is gone. If that fails, [Store.Expire]
// removes it.
func (r *receiver) discard(ctx context.Context) {
	if !r.began {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := r.server.config.Store.DiscardUpload(ctx, r.id); err != nil {
		r.server.log.ErrorContext(ctx, "a refused upload could not be discarded", "upload", r.id, "error", err)
	}
}

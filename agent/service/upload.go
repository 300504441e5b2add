package service

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"baton"
	"baton/internal/pause"
	"baton/wire"
)

const (
	uploadPart  = 512 << 10
	uploadTries = 6
	// uploadStall is how long an upload may make no progress, including the work of the
	// server at its end.
	uploadStall = 5 * time.Minute
)

var errStalled = errors.New("the upload made no progress for too long")

// upload sends the file to C1. Every attempt sends it from the beginning.
func (s *service) upload(ctx context.Context, t *entry, path string, log *slog.Logger) error {
	for n := 1; ; n++ {
		size, err := s.uploadOnce(ctx, t, path)
		s.contact(err)
		s.metrics.count("baton_uploads_total", 1, "result", outcome(err))
		if err == nil {
			log.Info("sync uploaded", "bytes", size)
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if c := code(err); n == uploadTries || c == codes.NotFound || c == codes.FailedPrecondition {
			return err
		}
		wait := jittered(time.Duration((n-1)*(n-1)) * 2 * time.Second)
		log.Warn("the upload failed; trying again", "error", err, "wait", wait)
		if err := pause.For(ctx, wait); err != nil {
			return err
		}
	}
}

func (s *service) uploadOnce(ctx context.Context, t *entry, path string) (size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, storage(err)
	}
	defer f.Close()
	header, err := s.link.tokens.get(ctx)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancelCause(metadata.AppendToOutgoingContext(ctx, "authorization", header))
	defer cancel(nil)
	stall := time.AfterFunc(uploadStall, func() { cancel(errStalled) })
	defer stall.Stop()
	stream, err := s.link.conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, methods+"UploadAsset")
	if err == nil {
		size, err = s.send(stream, f, t, stall)
		if err == nil || errors.Is(err, io.EOF) { // io.EOF means that the response has arrived
			var answer []byte
			err = stream.RecvMsg(&answer)
		}
	}
	switch {
	case context.Cause(ctx) == errStalled:
		return size, baton.Errorf(baton.Unavailable, "%w", errStalled)
	case status.Code(err) == codes.Unauthenticated:
		s.link.tokens.drop(header)
	}
	return size, failed("UploadAsset", err)
}

// send writes the parts of the file, followed by the checksum.
func (s *service) send(stream grpc.ClientStream, f *os.File, t *entry, stall *time.Timer) (size int64, err error) {
	message, err := wire.MarshalUploadStart(s.host.ID, t.ID)
	if err != nil {
		return 0, err
	}
	if err := stream.SendMsg(message); err != nil {
		return 0, err
	}
	sum, part := sha256.New(), make([]byte, uploadPart)
	for {
		n, err := io.ReadFull(f, part)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return size, storage(err)
		}
		sum.Write(part[:n])
		size += int64(n)
		if message, err = wire.MarshalUploadData(part[:n]); err != nil {
			return size, err
		}
		if err := stream.SendMsg(message); err != nil {
			return size, err
		}
		t.touch()
		stall.Reset(uploadStall)
	}
	if message, err = wire.MarshalUploadEnd([32]byte(sum.Sum(nil))); err != nil {
		return size, err
	}
	if err := stream.SendMsg(message); err != nil {
		return size, err
	}
	return size, stream.CloseSend()
}

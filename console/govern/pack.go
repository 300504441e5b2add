package govern

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strconv"

	"baton"
	"baton/console"
	"baton/console/evidence"
	"baton/console/review"
	"baton/console/store"
)

// EvidencePack is the evidence pack of a review, or an audit report, in a temporary file. Close removes
// it.
type EvidencePack struct {
	*os.File
	Name   string // for the download
	Size   int64
	SHA256 string
}

// Close closes and removes the file.
func (p *EvidencePack) Close() error { return errors.Join(p.File.Close(), os.Remove(p.File.Name())) }

// EvidencePack makes the evidence pack of a review that the caller sees as a whole, and records that.
// The pack is complete before any of it is passed on.
func (c *Console) EvidencePack(ctx context.Context, caller Caller, id console.ID) (*EvidencePack, error) {
	var m evidence.Manifest
	return c.signed(ctx, caller, signedFile{
		see: func(tx *store.Tx, me console.Person) error { return seeWholeCampaign(tx, me, id) },
		build: func(tx *store.Tx, _ console.Person, f *os.File, key ed25519.PrivateKey) (size int64, err error) {
			src, err := review.NewPack(tx, id)
			if err == nil {
				m, size, err = evidence.Build(ctx, f, src, key)
			}
			return size, err
		},
		name: func() string {
			return "review-" + string(id) + "-event-" + strconv.FormatInt(m.Chain.Last, 10) + ".zip"
		},
		record: func(tx *store.Tx, p *EvidencePack) error {
			return exported(tx, console.Event{Kind: "campaign.exported", Object: string(id)}, map[string]any{"sha256": p.SHA256, "size": p.Size, "last_event": m.Chain.Last, "state": m.State})
		},
	})
}

// signedFile says how a file is made that is signed with the key of the console.
type signedFile struct {
	see    func(tx *store.Tx, me console.Person) error // whether the caller may have it
	build  func(tx *store.Tx, me console.Person, f *os.File, key ed25519.PrivateKey) (size int64, err error)
	name   func() string
	record func(tx *store.Tx, p *EvidencePack) error // appends the event of the download
}

// signed makes a signed file in a temporary file, from one transaction.
func (c *Console) signed(ctx context.Context, caller Caller, s signedFile) (p *EvidencePack, err error) {
	var key ed25519.PrivateKey
	if err := c.change(ctx, caller, reading, func(tx *store.Tx, me console.Person) (err error) {
		if err := s.see(tx, me); err != nil {
			return err
		}
		key, err = tx.SigningKey()
		return err
	}); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp("", "evidence-*.zip")
	if err != nil {
		return nil, baton.Errorf(baton.Storage, "make a temporary file: %w", err).WithFix("Free space, or name another folder with TMPDIR.")
	}
	p = &EvidencePack{File: f}
	defer func() {
		if err != nil {
			p.Close()
			p = nil
		}
	}()
	if err := c.view(ctx, caller, func(tx *store.Tx, me console.Person) (err error) {
		if err := s.see(tx, me); err != nil {
			return err
		}
		if err := f.Truncate(0); err != nil {
			return baton.Errorf(baton.Storage, "write the file: %w", err)
		}
		p.Size, err = s.build(tx, me, f, key)
		return err
	}); err != nil {
		return p, err
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, p.Size)); err != nil {
		return p, baton.Errorf(baton.Storage, "read the file: %w", err)
	}
	p.SHA256, p.Name = hex.EncodeToString(h.Sum(nil)), s.name()
	return p, c.change(ctx, caller, reading, func(tx *store.Tx, me console.Person) error {
		if err := s.see(tx, me); err != nil {
			return err
		}
		return s.record(tx, p)
	})
}

// seeWholeCampaign returns an error unless a person may see all items of a review.
func seeWholeCampaign(tx *store.Tx, me console.Person, id console.ID) error {
	campaign, all, err := seeCampaign(tx, me, id)
	if err == nil && !all {
		err = console.SeeCampaigns.Check(me, console.Object{Campaign: &campaign})
	}
	return err
}

// Command release builds what is published: archives, images, their contents listed,
// and the sums over it all. The same commit gives the same bytes, wherever and
// whenever it is built with the same Go.
//
//	release build -version v0.1.0 -out dist   everything, from a clean checkout
//	release rootfs -program NAME -out DIR   the file system of one image, for a Dockerfile
//	release roots                             the certificate authorities in the images
//	release site -out dist/site               the documents as HTML pages
//	release sizes -update README.md           the table of sizes
//	release verify DIR                        the sums, and the signature if a key is given
//
// It is a module of its own, so that what it needs is not what the programs need. It
// imports nothing of theirs: it builds them, and asks the binaries for the rest.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"baton/release/site"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// commands returns the commands of the tool.
func commands() map[string]func(context.Context, []string, io.Writer) error {
	return map[string]func(context.Context, []string, io.Writer) error{
		"build":  buildCommand,
		"rootfs": rootfsCommand,
		"roots": func(_ context.Context, _ []string, stdout io.Writer) error {
			_, err := stdout.Write(authorities())
			return err
		},
		"site":   siteCommand,
		"sizes":  sizesCommand,
		"verify": verifyCommand,
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) == 0 {
		return errors.New("give a command: build, rootfs, roots, site, sizes or verify")
	}
	do, ok := commands()[args[0]]
	if !ok {
		return fmt.Errorf("there is no command %q; use build, rootfs, roots, site, sizes or verify", args[0])
	}
	return do(ctx, args[1:], stdout)
}

// newFlags returns the flags of the source. root is the checkout.
func newFlags(name string) (*flag.FlagSet, *source) {
	f, s := flag.NewFlagSet(name, flag.ContinueOnError), new(source)
	f.StringVar(&s.root, "root", "..", "the checkout")
	f.StringVar(&s.version, "version", "", "the version, as in v0.1.0")
	f.StringVar(&s.commit, "commit", "", "the commit (default: that of the checkout)")
	f.Int64Var(&s.epoch, "epoch", 0, "the time of every file, in Unix seconds (default: SOURCE_DATE_EPOCH, or the commit's)")
	f.StringVar(&s.url, "source", "", "where the sources are published")
	f.BoolVar(&s.dirty, "dirty", false, "build with uncommitted changes")
	return f, s
}

func buildCommand(ctx context.Context, args []string, stdout io.Writer) error {
	f, s := newFlags("build")
	out := f.String("out", "", "the folder to fill; it must be empty")
	only := f.String("platforms", "", "these platforms only, as in linux/amd64,linux/arm64")
	programs := f.String("programs", "", "these programs only")
	key := f.String("sign-key", "", "Ed25519 private key in a PEM file, to sign SHA256SUMS with")
	if err := f.Parse(args); err != nil {
		return err
	}
	platforms, err := parsePlatforms(*only)
	if err != nil {
		return err
	}
	if err := s.resolve(ctx); err != nil {
		return err
	}
	r := &release{source: *s, out: *out, platforms: platforms, say: stdout}
	if r.programs, err = s.programs(*programs); err != nil {
		return err
	}
	if err := r.build(ctx); err != nil {
		return err
	}
	if *key != "" {
		return signSums(*out, *key)
	}
	return nil
}

func siteCommand(_ context.Context, args []string, _ io.Writer) error {
	f := flag.NewFlagSet("site", flag.ContinueOnError)
	root := f.String("root", "..", "the checkout")
	out := f.String("out", "", "the folder to fill")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *out == "" {
		return errors.New("give the folder to fill: -out ../dist/site")
	}
	return site.Build(*root, *out)
}

func rootfsCommand(ctx context.Context, args []string, _ io.Writer) error {
	f, s := newFlags("rootfs")
	program := f.String("program", "", "the program")
	on := f.String("platform", "linux/amd64", "the platform")
	out := f.String("out", "", "the folder to fill")
	if err := f.Parse(args); err != nil {
		return err
	}
	platforms, err := parsePlatforms(*on)
	if err != nil {
		return err
	}
	if *program == "" || *out == "" {
		return errors.New("rootfs needs -program and -out")
	}
	if err := s.resolve(ctx); err != nil {
		return err
	}
	b, err := s.binary(ctx, *program, platforms[0])
	if err != nil {
		return err
	}
	return unpack(*out, b.rootfs(s.licence()))
}

func verifyCommand(_ context.Context, args []string, stdout io.Writer) error {
	f := flag.NewFlagSet("verify", flag.ContinueOnError)
	key := f.String("public-key", "", "Ed25519 public key in a PEM file; the signature is checked, too")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() != 1 {
		return errors.New("verify needs the folder of a release")
	}
	n, err := verifySums(f.Arg(0), *key)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%d files match SHA256SUMS\n", n)
	return nil
}

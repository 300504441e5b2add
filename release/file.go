package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// file is a file in an archive or an image, or a folder if its name ends with a slash. Owners are numeric.
type file struct {
	name     string // relative, with slashes
	mode     int64
	uid, gid int
	data     []byte
}

func (f file) folder() bool { return strings.HasSuffix(f.name, "/") }

// sorted sorts files in the order of archives: folders come before their contents.
func sorted(files []file) []file {
	return slices.SortedFunc(slices.Values(files), func(a, b file) int { return strings.Compare(a.name, b.name) })
}

// pack writes a tar that depends on nothing but the files: no owner names, and one time for all.
func pack(files []file, when time.Time) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range sorted(files) {
		h := &tar.Header{Name: f.name, Mode: f.mode, Uid: f.uid, Gid: f.gid, ModTime: when, Format: tar.FormatPAX, Typeflag: tar.TypeReg, Size: int64(len(f.data))}
		if f.folder() {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func compress(data []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// packZip is like pack for Windows, where people expect a zip.
func packZip(files []file, when time.Time) ([]byte, error) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range sorted(files) {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: when.UTC()}
		h.SetMode(os.FileMode(f.mode))
		if f.folder() {
			h.Method = zip.Store
			h.SetMode(os.FileMode(f.mode) | os.ModeDir)
		}
		to, err := w.CreateHeader(h)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		if _, err := to.Write(f.data); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// below moves files into a folder.
func below(folder string, files []file) []file {
	in := []file{{name: folder + "/", mode: 0o755}}
	for _, f := range files {
		f.name = folder + "/" + f.name
		in = append(in, f)
	}
	return in
}

// unpack writes files into a folder. It sets owners if allowed.
func unpack(to string, files []file) error {
	for _, f := range sorted(files) {
		name := filepath.Join(to, filepath.FromSlash(path.Clean(f.name)))
		if f.folder() {
			if err := os.MkdirAll(name, 0o755); err != nil {
				return err
			}
		} else if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		} else if err := os.WriteFile(name, f.data, 0o600); err != nil {
			return err
		}
		if os.Geteuid() == 0 {
			if err := os.Lchown(name, f.uid, f.gid); err != nil {
				return err
			}
		}
		mode := os.FileMode(f.mode & 0o777)
		if f.mode&0o1000 != 0 {
			mode |= os.ModeSticky
		}
		if err := os.Chmod(name, mode); err != nil {
			return err
		}
	}
	return nil
}

// folderFiles returns the files below a folder, with names relative to it.
func folderFiles(folder string) ([]file, error) {
	var files []file
	err := filepath.WalkDir(folder, func(name string, d os.DirEntry, err error) error {
		if err != nil || name == folder {
			return err
		}
		rel, err := filepath.Rel(folder, name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			files = append(files, file{name: filepath.ToSlash(rel) + "/", mode: 0o755})
			return nil
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is not a regular file", name)
		}
		data, err := os.ReadFile(name)
		files = append(files, file{name: filepath.ToSlash(rel), mode: 0o644, data: data})
		return err
	})
	return files, err
}

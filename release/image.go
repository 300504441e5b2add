package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// The contract of an image, on which manifests, chart and compose file rely.
const (
	imageUser = 65532
	imageData = "/data"
)

// role describes the purpose of an image: a line of text, the variables that make the program serve
// in a container, and its port, which also serves the probes.
type role struct {
	description string
	env         []string
	port        string
}

// roleOf returns the role of a program.
func roleOf(program string) role {
	if program == "baton-console" {
		return role{"The console of Baton", []string{"BATON_CONSOLE_DATA=" + imageData, "BATON_CONSOLE_LISTEN=:8443"}, "8443/tcp"}
	}
	return role{"A Baton connector", []string{"BATON_C1Z_TEMP_DIR=" + imageData, "BATON_HEALTH_CHECK=true"}, "8081/tcp"}
}

// imageConfig is the configuration for a container engine. Its names are those of the OCI image
// configuration; Healthcheck is Docker's, and other engines ignore it.
type imageConfig struct {
	User         string              `json:"User"`
	ExposedPorts map[string]struct{} `json:"ExposedPorts"`
	Env          []string            `json:"Env"`
	Entrypoint   []string            `json:"Entrypoint"`
	Volumes      map[string]struct{} `json:"Volumes"`
	WorkingDir   string              `json:"WorkingDir"`
	Labels       map[string]string   `json:"Labels"`
	StopSignal   string              `json:"StopSignal"`
	Healthcheck  healthcheck         `json:"Healthcheck"`
}

type healthcheck struct {
	Test        []string
	Interval    time.Duration
	Timeout     time.Duration
	StartPeriod time.Duration
	Retries     int
}

func newImageConfig(program string, labels map[string]string) imageConfig {
	path, role := "/"+program, roleOf(program)
	return imageConfig{
		User:         fmt.Sprintf("%d:%d", imageUser, imageUser),
		ExposedPorts: map[string]struct{}{role.port: {}},
		Env:          role.env,
		Entrypoint:   []string{path},
		Volumes:      map[string]struct{}{imageData: {}},
		WorkingDir:   imageData,
		Labels:       labels,
		StopSignal:   "SIGTERM",
		Healthcheck: healthcheck{Test: []string{"CMD", path, "health-check"}, Interval: 30 * time.Second,
			Timeout: 10 * time.Second, StartPeriod: time.Minute, Retries: 3},
	}
}

// rootfs returns all files of an image. The data folder belongs to the user and, for platforms that choose
// their own user, to group 0.
func (b *binary) rootfs(licence []byte) []file {
	return []file{
		{name: b.program, mode: 0o755, data: b.data},
		{name: "data/", mode: 0o770, uid: imageUser},
		{name: "tmp/", mode: 0o1777},
		{name: "etc/", mode: 0o755},
		{name: "etc/passwd", mode: 0o644, data: []byte("root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/data:/sbin/nologin\n")},
		{name: "etc/group", mode: 0o644, data: []byte("root:x:0:\nnonroot:x:65532:\n")},
		{name: "etc/ssl/", mode: 0o755},
		{name: "etc/ssl/certs/", mode: 0o755},
		{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, data: authorities()},
		{name: "licenses/", mode: 0o755},
		{name: "licenses/LICENSE", mode: 0o644, data: licence},
		{name: "licenses/THIRD-PARTY-LICENSES", mode: 0o644, data: notices(b.modules)},
	}
}

// labels returns the labels of an image, with the keys of the OCI.
func (s source) labels(program string) map[string]string {
	l := map[string]string{
		"org.opencontainers.image.title":       program,
		"org.opencontainers.image.description": roleOf(program).description,
		"org.opencontainers.image.version":     s.version,
		"org.opencontainers.image.revision":    s.commit,
		"org.opencontainers.image.created":     s.when().Format(time.RFC3339),
		"org.opencontainers.image.licenses":    "Apache-2.0",
	}
	if s.url != "" {
		l["org.opencontainers.image.source"] = s.url
	}
	return l
}

// descriptor points to a blob.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Platform    map[string]string `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

const (
	mediaIndex    = "application/vnd.oci.image.index.v1+json"
	mediaManifest = "application/vnd.oci.image.manifest.v1+json"
	mediaConfig   = "application/vnd.oci.image.config.v1+json"
	mediaLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// layout is an OCI image layout in progress: blobs by digest.
type layout struct {
	blobs map[string][]byte
}

func (l *layout) add(mediaType string, data []byte) descriptor {
	sum := sha256.Sum256(data)
	name := hex.EncodeToString(sum[:])
	l.blobs[name] = data
	return descriptor{MediaType: mediaType, Digest: "sha256:" + name, Size: int64(len(data))}
}

func (l *layout) addJSON(mediaType string, v any) (descriptor, error) {
	data, err := json.Marshal(v) // maps are sorted
	return l.add(mediaType, data), err
}

// image is the part of an image for one platform.
type image struct {
	manifest, config, layer descriptor
}

// addImage adds the image of a binary: one layer, its configuration, its manifest.
func (l *layout) addImage(s source, b *binary) (image, error) {
	tar, err := pack(b.rootfs(s.licence()), s.when())
	if err != nil {
		return image{}, err
	}
	packed, err := compress(tar)
	if err != nil {
		return image{}, err
	}
	labels := s.labels(b.program)
	diff := sha256.Sum256(tar)
	i := image{layer: l.add(mediaLayer, packed)}
	i.config, err = l.addJSON(mediaConfig, map[string]any{
		"created":      s.when().Format(time.RFC3339),
		"architecture": b.platform.arch,
		"os":           b.platform.os,
		"config":       newImageConfig(b.program, labels),
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(diff[:])}},
		"history":      []map[string]string{{"created": s.when().Format(time.RFC3339), "created_by": "release " + s.version}},
	})
	if err != nil {
		return image{}, err
	}
	i.manifest, err = l.addJSON(mediaManifest, map[string]any{
		"schemaVersion": 2, "mediaType": mediaManifest, "config": i.config, "layers": []descriptor{i.layer}, "annotations": labels,
	})
	i.manifest.Platform = map[string]string{"os": b.platform.os, "architecture": b.platform.arch}
	return i, err
}

// close returns an archive of the layout whose root is top. loadable lists the images that docker load finds
// in it, by name, because docker load reads no OCI layout before version 25.
func (l *layout) close(top descriptor, name string, loadable []image, when time.Time) ([]byte, error) {
	top.Annotations = map[string]string{"org.opencontainers.image.ref.name": name, "io.containerd.image.name": name}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": mediaIndex, "manifests": []descriptor{top}})
	if err != nil {
		return nil, err
	}
	files := []file{
		{name: "oci-layout", mode: 0o644, data: []byte(`{"imageLayoutVersion":"1.0.0"}`)},
		{name: "index.json", mode: 0o644, data: index},
		{name: "blobs/", mode: 0o755}, {name: "blobs/sha256/", mode: 0o755},
	}
	for _, sum := range slices.Sorted(maps.Keys(l.blobs)) {
		files = append(files, file{name: "blobs/sha256/" + sum, mode: 0o644, data: l.blobs[sum]})
	}
	if len(loadable) > 0 {
		type entry struct {
			Config   string
			RepoTags []string
			Layers   []string
		}
		blob := func(d descriptor) string { return "blobs/sha256/" + d.Digest[len("sha256:"):] }
		var entries []entry
		for _, i := range loadable {
			entries = append(entries, entry{blob(i.config), []string{name}, []string{blob(i.layer)}})
		}
		manifest, err := json.Marshal(entries)
		if err != nil {
			return nil, err
		}
		files = append(files, file{name: "manifest.json", mode: 0o644, data: manifest})
	}
	return pack(files, when)
}

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
)

const noAssertion = "NOASSERTION"

// The parts of SPDX 2.3 that are written.
type (
	spdxDocument struct {
		SPDXID        string             `json:"SPDXID"`
		SPDXVersion   string             `json:"spdxVersion"`
		DataLicense   string             `json:"dataLicense"`
		Name          string             `json:"name"`
		Namespace     string             `json:"documentNamespace"`
		CreationInfo  spdxCreation       `json:"creationInfo"`
		Packages      []spdxPackage      `json:"packages"`
		Relationships []spdxRelationship `json:"relationships"`
	}
	spdxCreation struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
	}
	spdxPackage struct {
		SPDXID           string         `json:"SPDXID"`
		Name             string         `json:"name"`
		Version          string         `json:"versionInfo"`
		FileName         string         `json:"packageFileName,omitempty"`
		DownloadLocation string         `json:"downloadLocation"`
		FilesAnalyzed    bool           `json:"filesAnalyzed"`
		LicenseConcluded string         `json:"licenseConcluded"`
		LicenseDeclared  string         `json:"licenseDeclared"`
		Copyright        string         `json:"copyrightText"`
		Purpose          string         `json:"primaryPackagePurpose"`
		Checksums        []spdxChecksum `json:"checksums,omitempty"`
		ExternalRefs     []spdxRef      `json:"externalRefs,omitempty"`
		Comment          string         `json:"comment,omitempty"`
	}
	spdxChecksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	}
	spdxRef struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	spdxRelationship struct {
		From string `json:"spdxElementId"`
		To   string `json:"relatedSpdxElement"`
		Type string `json:"relationshipType"`
	}
)

// contents lists the modules of an artefact as SPDX 2.3: those of one binary and, for images, also the
// certificate authorities.
func (s source) contents(artefact string, data []byte, purpose string, b *binary, more ...module) ([]byte, error) {
	sum := sha256.Sum256(data)
	digest := hex.EncodeToString(sum[:])
	doc := spdxDocument{
		SPDXID: "SPDXRef-DOCUMENT", SPDXVersion: "SPDX-2.3", DataLicense: "CC0-1.0",
		Name: artefact, Namespace: "https://spdx.org/spdxdocs/" + url.PathEscape(artefact) + "-" + digest,
		CreationInfo: spdxCreation{Created: s.when().Format(time.RFC3339), Creators: []string{"Tool: baton-release-" + s.version}},
	}
	const top, program = "SPDXRef-Artefact", "SPDXRef-Program"
	doc.Packages = []spdxPackage{
		{SPDXID: top, Name: artefact, Version: s.version, FileName: artefact, DownloadLocation: noAssertion, LicenseConcluded: noAssertion,
			LicenseDeclared: "Apache-2.0", Copyright: noAssertion, Purpose: purpose, Checksums: []spdxChecksum{{"SHA256", digest}}},
		{SPDXID: program, Name: b.program, Version: s.version, DownloadLocation: noAssertion, LicenseConcluded: noAssertion,
			LicenseDeclared: "Apache-2.0", Copyright: noAssertion, Purpose: "APPLICATION", Comment: "built from commit " + s.commit},
	}
	doc.Relationships = []spdxRelationship{{doc.SPDXID, top, "DESCRIBES"}, {top, program, "CONTAINS"}}
	for i, m := range append(b.modules[:len(b.modules):len(b.modules)], more...) {
		p := m.spdx(fmt.Sprintf("SPDXRef-Module-%d", i+1))
		doc.Packages = append(doc.Packages, p)
		relation := spdxRelationship{program, p.SPDXID, "DEPENDS_ON"}
		if i >= len(b.modules) {
			relation = spdxRelationship{top, p.SPDXID, "CONTAINS"}
		}
		doc.Relationships = append(doc.Relationships, relation)
	}
	text, err := json.MarshalIndent(doc, "", "  ")
	return append(text, '\n'), err
}

// spdx describes a module. SPDX has no field for the checksum over a module's files, so it is a comment.
func (m module) spdx(id string) spdxPackage {
	p := spdxPackage{SPDXID: id, Name: m.path, Version: m.version, DownloadLocation: noAssertion, LicenseConcluded: noAssertion,
		LicenseDeclared: m.licence, Copyright: noAssertion, Purpose: "LIBRARY",
		ExternalRefs: []spdxRef{{"PACKAGE-MANAGER", "purl", m.purl()}}}
	if m.sum != "" {
		p.Comment = "go.sum: " + m.sum
	}
	return p
}

// purl returns the package URL of a module, which vulnerability scanners use.
func (m module) purl() string {
	if m.path == "std" {
		return "pkg:golang/stdlib@" + m.version
	}
	return "pkg:golang/" + strings.ToLower(m.path) + "@" + url.PathEscape(m.version)
}

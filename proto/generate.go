// Package proto holds the protocol definitions, one file per area, written from
// the protocol's field numbers. The Go code made from them is checked in under
// internal/pb and is made anew by
//
//	go generate ./proto
//
// which needs protoc on the PATH; the Go plugin is built at the version that
// go.mod names.
package proto

//go:generate go build -o ../bin/protoc-gen-go google.golang.org/protobuf/cmd/protoc-gen-go
//go:generate sh -c "protoc --plugin=../bin/protoc-gen-go --go_out=.. --go_opt=module=baton --proto_path=. $(find c1 -name '*.proto' | sort | tr '\n' ' ')"

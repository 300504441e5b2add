// Package proto holds the protocol definitions, one file per area, written from
// the protocol's field numbers. The Go code made from them is checked in under
// internal/pb and is made anew by
//
//	go generate ./proto
//
// which needs protoc on the PATH; the plugin for messages is built at the version that
// go.mod names, the one for services at the version named below.
package proto

//go:generate go build -o ../bin/protoc-gen-go google.golang.org/protobuf/cmd/protoc-gen-go
//go:generate sh -c "GOBIN=$PWD/../bin go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2"
//go:generate sh -c "protoc --plugin=../bin/protoc-gen-go --plugin=../bin/protoc-gen-go-grpc --go_out=.. --go_opt=module=baton --go-grpc_out=.. --go-grpc_opt=module=baton --proto_path=. $(find c1 -name '*.proto' | sort | tr '\n' ' ')"

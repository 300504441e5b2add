package cgroup

import (
	"testing"
	"testing/fstest"
)

func TestMemoryLimit(t *testing.T) {
	const none = "9223372036854771712\n"
	for name, tt := range map[string]struct {
		files map[string]string
		limit int64
		from  string
	}{
		"version 2 in a container": {map[string]string{
			"proc/self/cgroup":         "0::/\n",
			"sys/fs/cgroup/memory.max": "134217728\n",
		}, 134217728, "sys/fs/cgroup/memory.max"},
		"version 2, a unit of systemd": {map[string]string{
			"proc/self/cgroup": "0::/system.slice/baton.service\n",
			"sys/fs/cgroup/system.slice/baton.service/memory.max":   "max\n",
			"sys/fs/cgroup/system.slice/baton.service/memory.high":  "100000000\n",
			"sys/fs/cgroup/system.slice/memory.max":                 "4000000000\n",
			"sys/fs/cgroup/system.slice/other.service/memory.max":   "1000\n",
			"sys/fs/cgroup/system.slice/baton.service/memory.other": "1\n",
		}, 100000000, "sys/fs/cgroup/system.slice/baton.service/memory.high"},
		"version 2, limited further up": {map[string]string{
			"proc/self/cgroup":                          "0::/kubepods/pod1/c1\n",
			"sys/fs/cgroup/kubepods/pod1/c1/memory.max": "max\n",
			"sys/fs/cgroup/kubepods/pod1/memory.max":    "67108864\n",
		}, 67108864, "sys/fs/cgroup/kubepods/pod1/memory.max"},
		"version 1": {map[string]string{
			"proc/self/cgroup": "5:devices:/x\n4:cpu,memory:/docker/c1\n",
			"sys/fs/cgroup/memory/docker/c1/memory.limit_in_bytes": "33554432\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":           none,
		}, 33554432, "sys/fs/cgroup/memory/docker/c1/memory.limit_in_bytes"},
		"version 1 in a container that shows the host's path": {map[string]string{
			"proc/self/cgroup":                           "4:memory:/docker/c1\n0::/docker/c1\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "33554432\n",
		}, 33554432, "sys/fs/cgroup/memory/memory.limit_in_bytes"},
		"both, and the lower one counts": {map[string]string{
			"proc/self/cgroup": "4:memory:/a\n0::/b\n",
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "2000000000\n",
			"sys/fs/cgroup/unified/b/memory.max":           "1000000000\n",
		}, 1000000000, "sys/fs/cgroup/unified/b/memory.max"},
		"version 1 without a limit": {map[string]string{
			"proc/self/cgroup":                           "4:memory:/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": none,
		}, 0, ""},
		"a path out of the tree": {map[string]string{
			"proc/self/cgroup":         "0::/../../../etc\n",
			"sys/fs/cgroup/memory.max": "5000\n",
			"etc/memory.max":           "1\n",
		}, 5000, "sys/fs/cgroup/memory.max"},
		"nonsense": {map[string]string{
			"proc/self/cgroup":         "0\n::\n:\nx:memory\n0::/\n",
			"sys/fs/cgroup/memory.max": "-5\n",
		}, 0, ""},
		"no such system": {nil, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			root := fstest.MapFS{}
			for file, text := range tt.files {
				root[file] = &fstest.MapFile{Data: []byte(text)}
			}
			if limit, from := memoryLimit(root); limit != tt.limit || from != tt.from {
				t.Errorf("%d from %q, want %d from %q", limit, from, tt.limit, tt.from)
			}
		})
	}
}

// TestGOMEMLIMITWins: an explicit limit in the environment is kept.
func TestGOMEMLIMITWins(t *testing.T) {
	root := fstest.MapFS{
		"proc/self/cgroup":         {Data: []byte("0::/\n")},
		"sys/fs/cgroup/memory.max": {Data: []byte("1\n")},
	}
	if m := LimitMemory("1GiB", root); m != (Memory{}) {
		t.Errorf("%+v", m)
	}
}

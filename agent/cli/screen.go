package cli

import (
	"io"
	"os"
	"sync"

	"golang.org/x/term"
)

// screen is stderr, shared by log lines and one progress line. On a terminal, the progress
// line stays below the log lines; elsewhere there is none.
type screen struct {
	to       io.Writer
	terminal *os.File // nil when stderr is not one

	mu     sync.Mutex
	status string
}

const eraseLine = "\r\x1b[K"

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status == "" {
		return s.to.Write(p)
	}
	if _, err := io.WriteString(s.to, eraseLine); err != nil {
		return 0, err
	}
	n, err := s.to.Write(p)
	if err == nil {
		_, err = io.WriteString(s.to, s.status)
	}
	return n, err
}

// show replaces the progress line; "" removes it. It ignores errors, because the work does not
// depend on a terminal.
func (s *screen) show(status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.terminal == nil {
		return
	}
	// A line that wraps could not be erased again.
	if width, _, err := term.GetSize(int(s.terminal.Fd())); err == nil && width > 1 {
		if r := []rune(status); len(r) >= width {
			status = string(r[:width-1])
		}
	}
	if status == s.status {
		return
	}
	s.status = status
	_, _ = io.WriteString(s.to, eraseLine+status)
}

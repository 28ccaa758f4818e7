package server

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// The layout is the core's: 8 bytes magic, then little-endian u64 numbers. The last one counts the
// starts of this program, which alone writes it.
const (
	countersFile  = "counters.bin"
	countersMagic = "JESSYMM1"
	countersSize  = 4096
	apiStartsAt   = 32
)

type counters struct {
	Starts       uint64 `json:"starts"`
	NotesWritten uint64 `json:"notes_written"`
	NewestNote   uint64 `json:"newest_note"`
	APIStarts    uint64 `json:"api_starts"`
}

var errNoCounters = errors.New("the file of counters is not one")

// readCounters reads what the core keeps in the shared memory-mapped file.
func readCounters(directory string) (counters, error) {
	content, err := os.ReadFile(filepath.Join(directory, countersFile))
	if err != nil {
		return counters{}, err
	}
	if len(content) < countersSize || !bytes.HasPrefix(content, []byte(countersMagic)) {
		return counters{}, errNoCounters
	}
	return counters{
		Starts:       binary.LittleEndian.Uint64(content[8:]),
		NotesWritten: binary.LittleEndian.Uint64(content[16:]),
		NewestNote:   binary.LittleEndian.Uint64(content[24:]),
		APIStarts:    binary.LittleEndian.Uint64(content[apiStartsAt:]),
	}, nil
}

// countStart adds one to the starts of this program. Other instances do so at the same time, so it
// is added in the mapping, atomically. The file is the core's: it is never made or made longer here.
func countStart(directory string) error {
	if _, err := readCounters(directory); err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(directory, countersFile), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	shared, err := syscall.Mmap(int(file.Fd()), 0, countersSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	defer func() { _ = syscall.Munmap(shared) }()
	// A mapping begins at a page, so this number is aligned as atomic operations need it.
	atomic.AddUint64((*uint64)(unsafe.Pointer(&shared[apiStartsAt])), 1)
	return nil
}

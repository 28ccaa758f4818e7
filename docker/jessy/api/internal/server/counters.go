package server

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
)

// The layout is the core's: 8 bytes magic, then little-endian u64 numbers.
const (
	countersFile  = "counters.bin"
	countersMagic = "JESSYMM1"
)

type counters struct {
	Starts       uint64 `json:"starts"`
	NotesWritten uint64 `json:"notes_written"`
	NewestNote   uint64 `json:"newest_note"`
}

var errNoCounters = errors.New("the file of counters is not one")

// readCounters reads what the core keeps in the shared memory-mapped file.
func readCounters(directory string) (counters, error) {
	content, err := os.ReadFile(filepath.Join(directory, countersFile))
	if err != nil {
		return counters{}, err
	}
	if len(content) < 32 || !bytes.HasPrefix(content, []byte(countersMagic)) {
		return counters{}, errNoCounters
	}
	return counters{
		Starts:       binary.LittleEndian.Uint64(content[8:]),
		NotesWritten: binary.LittleEndian.Uint64(content[16:]),
		NewestNote:   binary.LittleEndian.Uint64(content[24:]),
	}, nil
}

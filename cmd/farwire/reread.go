package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
)

// A fileReader reads a whole file: os.ReadFile, which may take any time, before the
// process serves, readUnlessPipe for what has been read then, and readAgain afterwards.
type fileReader func(name string) ([]byte, error)

// rereadPatience is how long a file that is read again has for it. A network disk that
// hangs would else stop all later reloads, the agent's next attach and the end of the
// process.
const rereadPatience = 2 * time.Second

var (
	errNoAnswer = fmt.Errorf("no answer within %v", rereadPatience)
	errPipe     = errors.New("it is a pipe, which is read once, at the start")
)

// lateReads are the files that are being read again and have not answered in time: nobody
// can end such a read, so a file has at most one.
var lateReads struct {
	sync.Mutex
	of map[string]bool
}

// readAgain is os.ReadFile, with errNoAnswer after rereadPatience, and at once while an
// earlier read of the file has not ended. A pipe is not read.
func readAgain(name string) ([]byte, error) {
	lateReads.Lock()
	late := lateReads.of[name]
	lateReads.Unlock()
	if late {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errNoAnswer}
	}
	type content struct {
		b   []byte
		err error
	}
	read := make(chan content, 1)
	go func() {
		b, err := readUnlessPipe(name)
		lateReads.Lock()
		defer lateReads.Unlock()
		delete(lateReads.of, name)
		read <- content{b, err}
	}()
	patience := time.NewTimer(rereadPatience)
	defer patience.Stop()
	select {
	case c := <-read:
		return c.b, c.err
	case <-patience.C:
	}
	lateReads.Lock()
	defer lateReads.Unlock()
	select {
	case c := <-read: // while the lock was taken
		return c.b, c.err
	default:
	}
	if lateReads.of == nil {
		lateReads.of = make(map[string]bool)
	}
	lateReads.of[name] = true
	return nil, &fs.PathError{Op: "read", Path: name, Err: errNoAnswer}
}

func readUnlessPipe(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Mode()&fs.ModeNamedPipe != 0 {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errPipe}
	}
	return os.ReadFile(name)
}

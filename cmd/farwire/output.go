package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// An output is where the file goes. One that cannot be written to is found
// before the crawl and not after it.
type output struct {
	file      *os.File // nil: nowhere, or a new file
	inherited bool     // from who has started the program: written as it is, and left open

	// A new file appears when it is written: a process that is killed leaves no empty one.
	name string      // empty: not a new file
	like fs.FileInfo // what it was like when it was made to see that it can be
}

// openOutput opens the file of a flag. Without a name it is standard output, or nothing if
// that is for something else.
func openOutput(flag, name string, quiet bool) (*output, error) {
	switch {
	case name == "" && quiet:
		return &output{}, nil
	case name == "":
		return &output{file: os.Stdout, inherited: true}, nil
	}
	if filepath.Base(name) == "llms.txt" {
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			return nil, misusef("%s: cannot make the folder %s: %v; give another one", flag, filepath.Dir(name), err)
		}
	}
	info, err := os.Stat(name)
	for _, std := range []*os.File{os.Stdout, os.Stderr} { // as /dev/stdout, or the file that it leads to
		if own, failed := std.Stat(); failed == nil && err == nil && os.SameFile(info, own) {
			return &output{file: std, inherited: true}, nil
		}
	}
	o := &output{}
	isNew := errors.Is(err, fs.ErrNotExist)
	if o.file, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o666); err == nil && isNew {
		err = o.putOff(name)
	}
	if err != nil {
		reason := err
		var path *fs.PathError
		if errors.As(err, &path) {
			reason = path.Err
		}
		return nil, misusef("%s: cannot write to %s: %v; give a file that this user may write to", flag, name, reason)
	}
	return o, nil
}

// putOff removes the file that was just made, until it is written. A link to it stays.
func (o *output) putOff(name string) (err error) {
	if o.like, err = o.file.Stat(); err != nil || !o.like.Mode().IsRegular() {
		return err
	}
	o.name, err = filepath.EvalSymlinks(name)
	if err = errors.Join(err, o.file.Close()); err == nil {
		err = os.Remove(o.name)
	}
	o.file = nil
	return err
}

// write puts the text in place of what the file held, which stays whole when that fails.
func (o *output) write(text string) error {
	if err := o.put(text); err != nil {
		return fmt.Errorf("the file was not written: %w", err)
	}
	return nil
}

func (o *output) put(text string) error {
	switch {
	case o.name != "":
		return replaceFile(o.name, []byte(text), o.like)
	case o.file == nil:
		return nil
	}
	info, err := o.file.Stat()
	if err != nil || !info.Mode().IsRegular() || o.inherited {
		if _, err := io.WriteString(o.file, text); err != nil || o.inherited {
			return err
		}
		return o.file.Close()
	}
	name, err := filepath.EvalSymlinks(o.file.Name())
	if errors.Is(err, fs.ErrNotExist) { // somebody has removed it meanwhile
		name, err = o.file.Name(), nil
	}
	if err = errors.Join(err, o.file.Close()); err != nil {
		return err
	}
	return replaceFile(name, []byte(text), info)
}

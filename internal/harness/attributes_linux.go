package harness

import "syscall"

// hasAttributes reports whether the file system of the folder keeps extended
// attributes of users.
func hasAttributes(dir string) bool {
	return syscall.Setxattr(dir, "user.farwire", []byte("1"), 0) == nil
}

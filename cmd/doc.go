// Package cmd is empty. Its folder is a module of its own, so that whoever
// embeds the library does not require what the program does; the program is in
// farwire.
package cmd

// Package adapters is the root of the module that holds farwire's heavier
// connections to the outside: one package for each service. A program that
// embeds farwire requires this module only when it uses one of them, so that
// an S3 client, a database driver or a browser protocol never enters the
// dependencies of a host that does not want it.
package adapters

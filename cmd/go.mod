module github.com/farwire/farwire/cmd

go 1.26.0

require (
	github.com/farwire/farwire v0.0.0
	github.com/farwire/farwire/adapters v0.0.0
)

replace (
	github.com/farwire/farwire => ../
	github.com/farwire/farwire/adapters => ../adapters
)

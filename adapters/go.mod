module github.com/farwire/farwire/adapters

go 1.26.0

require github.com/farwire/farwire v0.0.0

replace github.com/farwire/farwire => ../

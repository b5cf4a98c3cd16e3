package farwire

import (
	"errors"
	"fmt"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/hosting"
)

// refusal returns the error as the client sees it. One that is not the client's
// own fault has no business in a parser.
func refusal(err error) error {
	if !fault.Is(err, fault.BadRequest) {
		panic(fmt.Sprintf("refused for no reason of the client's: %v", err))
	}
	return errors.New(public(err).Text)
}

// SetDescriptors has the gateway believe how many descriptors there are.
func (g *Gateway) SetDescriptors(f func() (open, most int)) { g.descriptors = f }

// Hosted is what a gateway keeps of a caller's crawls.
func (g *Gateway) Hosted() (crawls int, bytes int64) {
	return g.hosted.most.Crawls, g.hosted.most.Bytes
}

// SetHosted has the gateway keep less of a caller's crawls.
func (g *Gateway) SetHosted(crawls int, bytes int64) {
	g.hosted.most = hosting.Limits{Crawls: crawls, Bytes: bytes}
}

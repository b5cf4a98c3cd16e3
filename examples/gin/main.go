// Command gin mounts a gateway into a gin engine, behind gin's own middleware.
package main

import (
	"log/slog"
	"net/http"

	"github.com/gin-contrib/cors"
	"github.com/gin-gonic/gin"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/console"
	"github.com/farwire/farwire/examples/internal/host"
)

func main() {
	gin.SetMode(gin.ReleaseMode)
	host.Run(mount)
}

// region mount

func mount(gw *farwire.Gateway, pool *agent.Pool, log *slog.Logger) http.Handler {
	r := gin.New()
	r.RedirectTrailingSlash = false // a WebSocket client follows no redirect
	r.Use(gin.LoggerWithWriter(slog.NewLogLogger(log.Handler(), slog.LevelInfo).Writer()), gin.Recovery())
	r.Any("/agents/attach", gin.WrapH(pool))

	// Gin's CORS refuses every request of another origin, sockets too, which
	// the gateway would take with a key: they are mounted before it.
	sockets := func(r gin.IRoutes) {
		r.Any("/ws", gin.WrapH(gw.Relay()))
		r.Any("/ws/", gin.WrapH(gw.Relay()))
		r.Any("/ws/crawl", gin.WrapH(gw.Crawl()))
	}
	requests := func(r gin.IRoutes) {
		r.Any("/amqp", gin.WrapH(gw.AMQP()))
		r.Any("/auth/token", gin.WrapH(gw.Token()))
		r.Any("/network", gin.WrapH(gw.Network()))
		r.Any("/usage", gin.WrapH(gw.Usage()))
		r.Any("/healthz", gin.WrapH(gw.Health()))
	}
	allow := cors.New(cors.Config{
		AllowOrigins: []string{host.Origin},
		AllowMethods: []string{"GET", "POST"},
		AllowHeaders: []string{"X-API-Key", "Authorization", "Content-Type"},
	})
	people := []gin.HandlerFunc{gin.BasicAuth(gin.Accounts(host.Accounts)), named}
	sockets(r.Group("/"))
	requests(r.Group("/", allow))
	sockets(r.Group("/app", people...))
	requests(r.Group("/app", append([]gin.HandlerFunc{allow}, people...)...))
	page := console.Handler(console.Options{Gateway: "/app/", NoKey: true})
	r.Group("/app", people...).Any("/console/*file", gin.WrapH(http.StripPrefix("/app/console", page)))
	return r
}

// named tells the gateway whom gin's BasicAuth has let in.
func named(c *gin.Context) {
	p := farwire.Principal{Subject: c.GetString(gin.AuthUserKey)}
	c.Request = c.Request.WithContext(farwire.WithPrincipal(c.Request.Context(), p))
	c.Request.Header.Del("Authorization")
}

// endregion

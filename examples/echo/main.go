// Command echo mounts a gateway into an echo v5 server, behind echo's own
// middleware.
package main

import (
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/console"
	"github.com/farwire/farwire/examples/internal/host"
)

func main() { host.Run(mount) }

// region mount

func mount(gw *farwire.Gateway, pool *agent.Pool, log *slog.Logger) http.Handler {
	e := echo.New()
	e.Logger = log
	e.Use(middleware.RequestLogger(), middleware.Recover(), middleware.Gzip())
	e.Use(middleware.CORSWithConfig(middleware.CORSConfig{
		AllowOrigins: []string{host.Origin},
		AllowMethods: []string{http.MethodGet, http.MethodPost},
		AllowHeaders: []string{"X-API-Key", "Authorization", "Content-Type"},
	}))
	e.Any("/agents/attach", echo.WrapHandler(pool))
	people := e.Group("/app", middleware.BasicAuth(named))
	page := console.Handler(console.Options{Gateway: "/app/", NoKey: true})
	people.Any("/console/*", echo.WrapHandler(http.StripPrefix("/app/console", page)))
	for _, r := range []*echo.Group{e.Group(""), people} {
		r.Any("/ws", echo.WrapHandler(gw.Relay()))
		r.Any("/ws/", echo.WrapHandler(gw.Relay()))
		r.Any("/ws/crawl", echo.WrapHandler(gw.Crawl()))
		r.Any("/amqp", echo.WrapHandler(gw.AMQP()))
		r.Any("/auth/token", echo.WrapHandler(gw.Token()))
		r.Any("/network", echo.WrapHandler(gw.Network()))
		r.Any("/usage", echo.WrapHandler(gw.Usage()))
		r.Any("/healthz", echo.WrapHandler(gw.Health()))
	}
	return e
}

// named lets a person in and tells the gateway whom.
func named(c *echo.Context, user, password string) (bool, error) {
	if want, known := host.Accounts[user]; !known || password != want {
		return false, nil
	}
	r := c.Request()
	r = r.WithContext(farwire.WithPrincipal(r.Context(), farwire.Principal{Subject: user}))
	r.Header.Del("Authorization")
	c.SetRequest(r)
	return true, nil
}

// endregion

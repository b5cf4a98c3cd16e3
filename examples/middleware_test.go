package examples

import (
	"net/http"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/labstack/echo/v5"
	echomiddleware "github.com/labstack/echo/v5/middleware"

	"github.com/farwire/farwire/hosttest"
	"github.com/farwire/farwire/internal/harness"
)

func unwrapping(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(harness.OnlyUnwrap{Inner: w}, r) })
}

// What hosts put around their handlers, and what our handlers work behind.
func TestMiddlewareOfOthers_HandlersWork(t *testing.T) {
	gin.SetMode(gin.TestMode)
	for name, wrap := range map[string]func(http.Handler) http.Handler{
		"chi": func(next http.Handler) http.Handler {
			return middleware.RequestID(middleware.Logger(middleware.Recoverer(next)))
		},
		"chi, Compress": middleware.Compress(5, "text/event-stream", "text/html"),
		"chi, Compress inside a wrapper that has only Unwrap": func(next http.Handler) http.Handler {
			return unwrapping(middleware.Compress(5)(next))
		},
		"chi, Compress around a wrapper that has only Unwrap": func(next http.Handler) http.Handler {
			return middleware.Compress(5)(unwrapping(next))
		},
		"gin": func(next http.Handler) http.Handler {
			engine := gin.New()
			engine.Use(gin.Recovery())
			engine.Any("/*path", gin.WrapH(next))
			return engine
		},
		"echo": func(next http.Handler) http.Handler {
			e := echo.New()
			e.Use(echomiddleware.Recover(), echomiddleware.RequestID())
			e.Any("/*", echo.WrapHandler(next))
			return e
		},
	} {
		t.Run(name, func(t *testing.T) { hosttest.Run(t, hosttest.Host{Middleware: wrap}) })
	}
}

func TestTimeoutHandler_HidesTheConnection(t *testing.T) {
	err := hosttest.Check(t.Context(), hosttest.Host{Middleware: func(next http.Handler) http.Handler {
		return http.TimeoutHandler(next, time.Minute, "")
	}})
	if err == nil {
		t.Error("the docs say that http.TimeoutHandler hides the connection")
	}
}

package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/trace"
)

// problem is an error as clients get it (RFC 9457).
type problem struct {
	Type    string         `json:"type"`
	Title   string         `json:"title"`
	Status  int            `json:"status"`
	Detail  string         `json:"detail"`
	Code    fault.Code     `json:"code"`
	TraceID string         `json:"trace_id"`
	Errors  []problemField `json:"errors,omitempty"`
	// Missing names what readiness waits for.
	Missing []string `json:"missing,omitempty"`
}

type problemField struct {
	Field   string `json:"field"`
	Rule    string `json:"rule"`
	Message string `json:"message"`
}

func newProblem(c *gin.Context, f *fault.Error) problem {
	p := problem{
		Type:    "urn:fairway:problem:" + string(f.Code),
		Title:   f.Code.Title(),
		Status:  f.Code.HTTP(),
		Detail:  f.Message,
		Code:    f.Code,
		TraceID: trace.ID(c.Request.Context()),
	}
	for _, field := range f.Fields {
		p.Errors = append(p.Errors, problemField{Field: field.Name, Rule: field.Rule, Message: field.Message})
	}
	return p
}

// refuse answers with an error and ends the request. Its cause stays with the access log.
func refuse(c *gin.Context, err error) {
	f := fault.From(err)
	_ = c.Error(f) // the access log reads it from there
	newProblem(c, f).send(c, f.RetryAfter)
}

func (p problem) send(c *gin.Context, retryAfter time.Duration) {
	switch p.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		c.Header("Retry-After", retrySeconds(retryAfter))
	case http.StatusConflict:
		if retryAfter > 0 {
			c.Header("Retry-After", retrySeconds(retryAfter))
		}
	case http.StatusUnauthorized:
		c.Header("WWW-Authenticate", "Bearer")
	}
	c.Abort()
	body, err := encode(p)
	if err != nil { // a struct of strings and a number always encodes
		c.Status(http.StatusInternalServerError)
		return
	}
	c.Data(p.Status, "application/problem+json", body)
}

// retrySeconds rounds up, so that nobody comes back too early; where nothing is known, a second is a fair guess.
func retrySeconds(d time.Duration) string {
	seconds := (d + time.Second - 1) / time.Second
	return strconv.FormatInt(int64(max(seconds, 1)), 10)
}

package api

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/gin-gonic/gin"
)

// reply is the answer to a request that went well.
type reply struct {
	status   int
	location string // the path below base of what was made, for status 201
	body     any    // none with status 204
}

func (a reply) send(c *gin.Context) {
	if a.body == nil {
		c.Status(a.status)
		return
	}
	body, err := encode(a.body)
	if err != nil {
		refuse(c, err)
		return
	}
	if a.location != "" {
		c.Header("Location", base+a.location)
	}
	c.Data(a.status, "application/json", body)
}

// encode writes JSON as it is: the answers are never put into a page, so "<" needs no escape.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return b.Bytes(), nil
}

package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxFile bounds the configuration file; a complete one with comments has about 3 KB. The parser needs time that grows with
// the square of nesting, so the bound also keeps a hostile file from holding up the start.
const maxFile = 16 << 10

// entry is one value of a file, with its dotted key.
type entry struct {
	key, value string
	line       int
	// wrong says why this is not a value at all.
	wrong string
}

// flatten turns a YAML document of nested mappings into dotted keys, in the order of the file. It reads the syntax tree and
// not decoded values, so each entry keeps its line and its text as written (0.10 stays 0.10). A key may be written dotted,
// too. Only plain values are allowed: a list, an anchor, an alias or a tag is an entry that says so.
func flatten(data []byte) (entries []entry, err error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("is larger than %d bytes", maxFile)
	}
	// The parser is not ours, and a file that it cannot cope with is still only a wrong file.
	defer func() {
		if p := recover(); p != nil {
			entries, err = nil, fmt.Errorf("is not YAML that can be read: %v", p)
		}
	}()
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		var syntax yaml.Error
		if errors.As(err, &syntax) && syntax.GetToken() != nil && syntax.GetToken().Position != nil {
			return nil, fmt.Errorf("line %d is not YAML: %s", syntax.GetToken().Position.Line, syntax.GetMessage())
		}
		return nil, fmt.Errorf("is not YAML: %w", err)
	}
	var bodies []ast.Node
	for _, doc := range file.Docs {
		if doc != nil && doc.Body != nil && doc.Body.Type() != ast.CommentType {
			bodies = append(bodies, doc.Body)
		}
	}
	switch len(bodies) {
	case 0:
		return nil, nil
	case 1:
	default:
		return nil, errors.New("has more than one YAML document")
	}
	switch bodies[0].(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return walk(nil, "", bodies[0]), nil
	case *ast.NullNode:
		return nil, nil
	}
	return nil, errors.New("is not a mapping of settings such as rpc: {timeout: 5s}")
}

// walk appends the entries of a node whose key is prefix.
func walk(entries []entry, prefix string, n ast.Node) []entry {
	switch n := n.(type) {
	case *ast.MappingNode:
		for _, pair := range n.Values {
			entries = walk(entries, prefix, pair)
		}
		return entries
	case *ast.MappingValueNode:
		key, ok := scalar(n.Key)
		if prefix != "" {
			key = prefix + "." + key
		}
		if !ok {
			return append(entries, entry{key: key, line: line(n.Key), wrong: "is not a plain key"})
		}
		return walk(entries, key, n.Value)
	}
	e := entry{key: prefix, line: line(n)}
	value, ok := scalar(n)
	if ok {
		e.value = value
	} else {
		e.wrong = "is not a plain value"
	}
	return append(entries, e)
}

// scalar gives the text of a plain value or key as it was written, without quotes.
func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.NullNode:
		return "", true
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		if n.Value == nil {
			return "", true
		}
		return strings.TrimSuffix(n.Value.Value, "\n"), true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		if t := n.GetToken(); t != nil {
			return t.Value, true
		}
	}
	return "", false
}

// line is where a node starts, 0 where nobody knows.
func line(n ast.Node) int {
	if n == nil {
		return 0
	}
	var t *token.Token = n.GetToken()
	if t == nil || t.Position == nil {
		return 0
	}
	return t.Position.Line
}

package config

import (
	"io"
	"strconv"
	"strings"
)

// Print writes the configuration as YAML. Load reads it back as the same configuration, but for secrets, which are masked.
func (c Config) Print(w io.Writer) error {
	var b strings.Builder
	last := ""
	for _, s := range table {
		section, name, nested := strings.Cut(s.key, ".")
		indent := "  "
		if !nested {
			name, indent = section, ""
		} else if section != last {
			b.WriteString(section + ":\n")
		}
		last = section
		value := s.show(&c)
		if s.mask != nil {
			value = s.mask(value)
		}
		b.WriteString(indent + name + ": " + yamlText(value) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// yamlText quotes a value in YAML's single quotes, in which nothing but the quote itself is special, unless it is clearly
// a plain word. Control characters need double quotes and their escapes.
func yamlText(value string) string {
	// null stands for nothing in YAML, whatever its case.
	plain := value != "" && !strings.EqualFold(value, "null")
	for i, r := range value {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '/':
		case i > 0 && (r == '_' || r == '-'), r == ':' && i > 0 && i < len(value)-1:
		case !strconv.IsPrint(r):
			return strconv.Quote(value)
		default:
			plain = false
		}
	}
	if plain {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", "''") + "'"
}

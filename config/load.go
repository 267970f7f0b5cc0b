package config

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// Input is everything that a configuration is made from.
type Input struct {
	// File is the name of a YAML file, empty for none.
	File string
	// ReadFile reads it; os.ReadFile outside of tests.
	ReadFile func(name string) ([]byte, error)
	// Environ is the environment as os.Environ gives it.
	Environ []string
	// Flags are the flags that were given, by their setting's key.
	Flags map[string]string
}

// Error is everything that is wrong with a configuration, not only the first thing.
type Error struct {
	Problems []string
}

// Error lists the problems, one per line.
func (e *Error) Error() string {
	if len(e.Problems) == 1 {
		return "configuration: " + e.Problems[0]
	}
	return fmt.Sprintf("configuration: %d problems:\n  %s", len(e.Problems), strings.Join(e.Problems, "\n  "))
}

// Load makes a configuration: the defaults, changed by the file, by the environment, by flags, in this order. Its error is
// an *Error that names each unknown key and each wrong value with its source, wrong values too that a later source would
// have replaced. Settings that contradict each other are looked for once every single one is right.
//
// An environment variable that is set to nothing counts as not set.
func Load(in Input) (Config, error) {
	l := loader{config: Default()}
	l.file(in)
	l.environ(in.Environ)
	l.flags(in.Flags)
	if len(l.problems) == 0 {
		l.problems = l.config.contradictions()
	}
	if len(l.problems) > 0 {
		return Config{}, &Error{Problems: l.problems}
	}
	return l.config, nil
}

type loader struct {
	config   Config
	problems []string
}

func (l *loader) problem(format string, args ...any) {
	l.problems = append(l.problems, fmt.Sprintf(format, args...))
}

// set puts one value into the configuration. Source reads as the end of "from …".
func (l *loader) set(s setting, value, source string) {
	wrong := s.parse(&l.config, value)
	if wrong == "" {
		return
	}
	if s.mask != nil {
		value = s.mask(value)
	}
	l.problem("%s: %s from %s %s", s.key, quote(value), source, wrong)
}

// quote keeps a long or strange value on one readable line.
func quote(value string) string {
	const most = 80
	if r := []rune(value); len(r) > most {
		value = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q", value)
}

func (l *loader) file(in Input) {
	if in.File == "" {
		return
	}
	data, err := in.ReadFile(in.File)
	if err != nil {
		// The name is in the message already, so only the reason of a path error is of use.
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		l.problem("%s cannot be read: %v", in.File, err)
		return
	}
	entries, err := flatten(data)
	if err != nil {
		l.problem("%s %v", in.File, err)
		return
	}
	seen := make(map[string]int)
	for _, e := range entries {
		source := fmt.Sprintf("%s:%d", in.File, e.line)
		s, known := find(e.key)
		first, twice := seen[e.key]
		seen[e.key] = e.line
		switch {
		case !known && isSection(e.key):
			// A section without settings, as it is left when all of them are commented out.
			if e.value != "" || e.wrong != "" {
				l.problem("%s from %s is a section, its settings go below it", quote(e.key), source)
			}
		case !known:
			l.problem("%s from %s is not a setting%s", quote(e.key), source, DidYouMean("", e.key, keys()))
		case e.wrong != "":
			l.problem("%s from %s %s", e.key, source, e.wrong)
		case twice:
			l.problem("%s from %s is set already on line %d", e.key, source, first)
		default:
			l.set(s, e.value, source)
		}
	}
}

// clientVariables belong to the commands that talk to a running Fairway, and may stand in the same environment.
var clientVariables = []string{"FAIRWAY_API", "FAIRWAY_TOKEN", "FAIRWAY_PASSWORD", "FAIRWAY_CONFIG"}

// injected matches the variables that Kubernetes sets in each pod for a Service named fairway or fairway-something
// ("Accessing the Service" in its documentation). Nobody wrote them, so nobody misspelt them.
var injected = regexp.MustCompile(`_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT$|_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$`)

func (l *loader) environ(environ []string) {
	values := make(map[string]string)
	var names []string
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, envPrefix) || value == "" {
			continue
		}
		values[name] = value
		names = append(names, name)
	}
	known := make([]string, 0, len(table))
	for _, s := range table {
		name := envName(s.key)
		known = append(known, name)
		if value, ok := values[name]; ok {
			l.set(s, value, name)
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		// The value is left out: what a misspelt variable holds may be a secret.
		if !slices.Contains(known, name) && !slices.Contains(clientVariables, name) && !injected.MatchString(name) {
			l.problem("%s is not a variable of Fairway%s", name, DidYouMean(envPrefix, name, append(known, clientVariables...)))
		}
	}
}

func (l *loader) flags(flags map[string]string) {
	for _, s := range table {
		if value, ok := flags[s.key]; ok {
			l.set(s, value, "--"+s.key)
		}
	}
	var unknown []string
	for key := range flags {
		if _, ok := find(key); !ok {
			unknown = append(unknown, key)
		}
	}
	slices.Sort(unknown)
	for _, key := range unknown {
		l.problem("--%s is not a flag%s", key, DidYouMean("", key, keys()))
	}
}

// keys lists the keys of all settings.
func keys() []string {
	list := make([]string, len(table))
	for i, s := range table {
		list[i] = s.key
	}
	return list
}

// isSection tells whether settings live below the key.
func isSection(key string) bool {
	for _, s := range table {
		if strings.HasPrefix(s.key, key+".") {
			return true
		}
	}
	return false
}

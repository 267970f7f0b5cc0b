package cli_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// nowhere is an address at which no gateway can be, and no token is at hand.
func nowhere(t *testing.T) *person { return newPerson(t, "FAIRWAY_API=not an address") }

func TestPortsAreFoundByAnyOfTheirNames(t *testing.T) {
	p := nowhere(t)
	const want = "CODE   NAME       COUNTRY      LATITUDE  LONGITUDE  TIME ZONE         ALIASES\n" +
		"NLRTM  Rotterdam  Netherlands  51.95     4.14       Europe/Amsterdam  -\n"
	for _, text := range []string{"NLRTM", "nlrtm", "Rotterdam", "TTERD", " rotterdam ", "netherlands"} {
		if got := p.must("port", text); got != want {
			t.Errorf("%q: got\n%s\nwant\n%s", text, got, want)
		}
	}
	if got := p.must("port", "cnshg"); !strings.Contains(got, "\nCNSHA  Shanghai  China") {
		t.Errorf("by its alias:\n%s", got)
	}
	if got := p.must("port", "new", "york"); !strings.Contains(got, "\nUSNYC  New York") || strings.Count(got, "\n") != 2 {
		t.Errorf("by two words:\n%s", got)
	}
}

func TestPortsForPrograms(t *testing.T) {
	p := nowhere(t)
	sameJSON(t, p.must("port", "rotterdam", "-o", "json"), `{"ports":[{"code":"NLRTM","name":"Rotterdam","country":"NL",
		"country_name":"Netherlands","latitude":51.95,"longitude":4.14,"time_zone":"Europe/Amsterdam"}]}`)
	sameJSON(t, p.must("port", "atlantis", "-o", "json"), `{"ports":[]}`)
	var answer struct{ Ports []struct{ Code string } }
	if err := json.Unmarshal([]byte(p.must("port", "-o", "json")), &answer); err != nil || len(answer.Ports) < 150 {
		t.Errorf("%d ports: %v", len(answer.Ports), err)
	}
	if lines := strings.Count(p.must("port"), "\n"); lines != len(answer.Ports)+1 {
		t.Errorf("%d lines for %d ports", lines, len(answer.Ports))
	}
}

func TestNoPortFoundIsSaidBesideTheResults(t *testing.T) {
	if got, want := nowhere(t).run("port", "atlantis"), (result{0, "", "nothing found\n"}); got != want {
		t.Errorf("%+v", got)
	}
	if got := nowhere(t).run("port", "-o", "xml"); got.code != 2 || got.out != "" || !strings.Contains(got.err, `--output "xml" is neither table nor json`) {
		t.Errorf("%+v", got)
	}
}

package config_test

import (
	"strings"
	"testing"

	"github.com/fairwayfreight/fairway/config"
)

func TestServicesOfOneProcess(t *testing.T) {
	all := []string{"user", "vessel", "consignment", "log", "api"}
	tests := map[string]struct {
		names []string
		want  []string
	}{
		"none named is all": {nil, nil},
		"all named":         {[]string{"api", "log", "consignment", "vessel", "user"}, nil},
		"unknown":           {[]string{"vesel", "x"}, []string{`"vesel" is not a service, did you mean vessel?`, `"x" is not a service (`}},
		"twice":             {[]string{"log", "log"}, []string{"service log is named twice"}},
		"one":               {[]string{"vessel"}, []string{"registry.kind memory", "broker.kind memory"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := config.Default().CheckServices(tt.names, all)
			if tt.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			got := problems(t, err)
			if len(got) != len(tt.want) {
				t.Fatalf("got %q", got)
			}
			for i := range got {
				if !strings.Contains(got[i], tt.want[i]) {
					t.Errorf("got %q, want %q", got[i], tt.want[i])
				}
			}
		})
	}
}

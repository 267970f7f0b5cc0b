package rule_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/fairwayfreight/fairway/common/rule"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

// containerNumber normalizes and checks one number and gives the rule that it breaks.
func containerNumber(number string) (normal, breaks string) {
	c := booking()
	c.Containers = []*consignmentpb.Container{{Number: number}}
	rule.NormalizeConsignment(c)
	for _, f := range rule.Consignment(c) {
		breaks = f.Rule
	}
	return c.Containers[0].Number, breaks
}

func TestContainerNumber(t *testing.T) {
	for number, want := range map[string]string{
		"":              "",
		"CSQU3054383":   "",
		"csqu 305438-3": "",
		"GYOU4047990":   "", // remainder 10
		"APZU3789870":   "", // remainder 10
		"APZU3789871":   rule.Checksum,
		"MSCU1234567":   rule.Checksum, // what most demos use
		"MSCU1234566":   "",
		"TBJA7176445":   rule.Format, // its digit fits, but A is no category
		"1234J1234567":  rule.Format,
		"ZZZZ,1234567":  rule.Format,
		"CSQU305438":    rule.Format,
		"CSQU30543833":  rule.Format,
		"CSQR3054383":   rule.Format,
		"CŚQU3054383":   rule.Format,
		"CSQU305438３":   rule.Format, // a full-width digit
		"CſQU3054383":   rule.Format, // Unicode upper-cases the long s to S
	} {
		if _, breaks := containerNumber(number); breaks != want {
			t.Errorf("%q breaks %q, want %q", number, breaks, want)
		}
	}
	if normal, _ := containerNumber(" csqu 305438-3 "); normal != "CSQU3054383" {
		t.Errorf("normalized to %q", normal)
	}
}

func TestEveryCategoryAndExactlyOneCheckDigitFits(t *testing.T) {
	for _, stem := range []string{"CSQU305438", "ABVJ000000", "LUZZ999999", "KLVU123456"} {
		fits := 0
		for digit := '0'; digit <= '9'; digit++ {
			if _, breaks := containerNumber(stem + string(digit)); breaks == "" {
				fits++
			}
		}
		if fits != 1 {
			t.Errorf("%s: %d check digits fit, want 1", stem, fits)
		}
	}
}

var containerForm = regexp.MustCompile(`\A[A-Z]{3}[UJZ][0-9]{7}\z`)

func FuzzContainerNumber(f *testing.F) {
	for _, s := range []string{"CSQU3054383", "gyou 404799-0", "MSCU1234567", "1234J1234567", "ZZZZ,1234567", "\xff", "ſ", "-\n0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, number string) {
		normal, breaks := containerNumber(number)
		if again, _ := containerNumber(normal); again != normal {
			t.Errorf("normalizing twice: %q, once: %q", again, normal)
		}
		if breaks == "" && normal != "" && !containerForm.MatchString(normal) {
			t.Errorf("accepted %q", normal)
		}
	})
}

func TestQuarters(t *testing.T) {
	for code, want := range map[string]int64{
		"": 4, "10G0": 2, "22G1": 4, "22GP": 4, "30G0": 6, "42G1": 8, "45R1": 8, "L5G1": 9, "M5G1": 10,
	} {
		if got, ok := rule.Quarters(code); !ok || got != want {
			t.Errorf("Quarters(%q) = %d, %v, want %d", code, got, ok, want)
		}
	}
	for _, code := range []string{"22G", "22G11", "92G1", "02G1", "l5g1", "22 1", "22-1", "A2G1", "22É", "٢2G"} {
		if _, ok := rule.Quarters(code); ok {
			t.Errorf("Quarters(%q) is accepted", code)
		}
	}
}

func FuzzQuarters(f *testing.F) {
	f.Add("22G1")
	f.Add("")
	f.Fuzz(func(t *testing.T, code string) {
		n, ok := rule.Quarters(code)
		if ok != (n >= 2 && n <= 10) || ok && code != "" && len(code) != 4 {
			t.Errorf("Quarters(%q) = %d, %v", code, n, ok)
		}
	})
}

// imo normalizes and checks one ship number and gives the rule that it breaks.
func imo(number string) (normal, breaks string) {
	v := &vesselpb.Vessel{Name: "Anna", Capacity: 1, MaxWeight: 1, Imo: number}
	rule.NormalizeVessel(v)
	for _, f := range rule.Vessel(v) {
		breaks = f.Rule
	}
	return v.Imo, breaks
}

func TestIMO(t *testing.T) {
	for number, want := range map[string]string{
		"": "", "9074729": "", "IMO 9074729": "", "imo9074729": "", " 9074729 ": "",
		"1234567":         "", // the digit proves typing, not existence
		"9074728":         rule.Checksum,
		"0974729":         rule.Checksum,
		"907472":          rule.Format,
		"90747299":        rule.Format,
		"907472a":         rule.Format,
		"IMO IMO 9074729": rule.Format,
		"-074729":         rule.Format,
		"９074729":         rule.Format,
	} {
		if _, breaks := imo(number); breaks != want {
			t.Errorf("%q breaks %q, want %q", number, breaks, want)
		}
	}
	if normal, _ := imo("imo 9074729"); normal != "9074729" {
		t.Errorf("normalized to %q", normal)
	}
}

func FuzzIMO(f *testing.F) {
	f.Add("9074729")
	f.Add("IMO 9074729")
	f.Add("IMO\xff")
	f.Fuzz(func(t *testing.T, number string) {
		normal, breaks := imo(number)
		if breaks == "" && normal != "" && (len(normal) != 7 || strings.Trim(normal, "0123456789") != "") {
			t.Errorf("accepted %q", normal)
		}
		if breaks == "" {
			if again, _ := imo(normal); again != normal {
				t.Errorf("normalizing twice: %q, once: %q", again, normal)
			}
		}
	})
}

func TestPort(t *testing.T) {
	for port, want := range map[string]bool{
		"NLRTM": true, "nlrtm": true, " SGSIN ": true, "US2LA": true, "CNSHA": true,
		"NLRT": false, "NLRTMX": false, "NL0TM": false, "NL1TM": false, "1LRTM": false, "NL RTM": false, "ŃLRT": false, "Rotterdam": false,
	} {
		c := booking()
		c.From, c.To = port, "DEHAM"
		rule.NormalizeConsignment(c)
		if got := len(rule.Consignment(c)) == 0; got != want {
			t.Errorf("%q is fine = %v, want %v", port, got, want)
		}
	}
}

var portForm = regexp.MustCompile(`\A[A-Z]{2}[A-Z2-9]{3}\z`) // the pattern of UNECE Recommendation 16 and DCSA

func FuzzPort(f *testing.F) {
	for _, s := range []string{"NLRTM", "nl rtm", "US2LA", "NL0TM", "\xffLRTM"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, port string) {
		r := &vesselpb.Reservation{BookingId: "b", Quarters: 1, Weight: 1, From: port, To: "ZZZZZ"}
		rule.NormalizeReservation(r)
		fine := len(rule.Reservation(r)) == 0
		if want := portForm.MatchString(r.From) && r.From != "ZZZZZ"; fine != want {
			t.Errorf("%q is fine = %v, want %v", r.From, fine, want)
		}
	})
}

package prove

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// person is an account of the run.
type person struct {
	name  string
	token string
}

// voyage is one that the run offers. A voyage without ports has one leg.
type voyage struct {
	id      string
	carrier *person
	ports   []string
	// closing is set before its carrier asks to close it, closedAt when that was answered.
	closing  atomic.Bool
	closedAt atomic.Pointer[time.Time]
}

// legs is how many legs it has.
func (v *voyage) legs() int { return max(1, len(v.ports)-1) }

// closed tells whether a voyage had been answered to be closed at a time.
func (v *voyage) closed(at time.Time) bool {
	since := v.closedAt.Load()
	return since != nil && at.After(*since)
}

// span are the legs between two ports, counted from 0, end not among them; all of them without ports.
func (v *voyage) span(from, to string) (first, end int, ok bool) {
	if from == "" && to == "" {
		return 0, v.legs(), true
	}
	first, end = -1, -1
	for i, p := range v.ports {
		switch p {
		case from:
			first = i
		case to:
			end = i
		}
	}
	return first, end, first >= 0 && first < end
}

// fleet is the world of one run: accounts, vessels and voyages of its own.
type fleet struct {
	run      string // names everything that the run makes
	shippers []*person
	carriers []*person
	stranger *person
	voyages  []*voyage // the hot ones first
	hot      int
	byID     map[string]*voyage
}

// shipper is the account that a writer works in. Writers share accounts.
func (f *fleet) shipper(writer int) *person { return f.shippers[writer%len(f.shippers)] }

// builder makes a fleet. Its requests are repeated while Fairway is busy.
type builder struct {
	*client
	*fleet
	o options
}

// build makes the accounts and voyages of a run.
func build(ctx context.Context, c *client, o options) (*fleet, error) {
	b := &builder{c, &fleet{run: "prove-" + rand.Text()[:10], hot: o.hot, byID: map[string]*voyage{}}, o}
	var err error
	if b.stranger, err = b.person(ctx, "stranger", "shipper"); err != nil {
		return nil, err
	}
	for i := range min(8, max(2, o.writers)) {
		p, err := b.person(ctx, fmt.Sprintf("shipper%d", i), "shipper")
		if err != nil {
			return nil, err
		}
		b.shippers = append(b.shippers, p)
	}
	for i := range 2 {
		p, err := b.person(ctx, fmt.Sprintf("carrier%d", i), "carrier")
		if err != nil {
			return nil, err
		}
		b.carriers = append(b.carriers, p)
	}
	ports := harbours(rand.Text())
	for i := range o.hot + o.spread {
		v, err := b.voyage(ctx, i, ports)
		if err != nil {
			return nil, err
		}
		b.voyages = append(b.voyages, v)
		b.byID[v.id] = v
	}
	return b.fleet, nil
}

// harbours are ports that no other run is likely to have drawn, so that a booking by ports finds the voyages of this one. A
// UN/LOCODE is two letters for the country and three letters or digits 2 to 9; text is of those.
func harbours(text string) []string {
	country := strings.Map(func(r rune) rune {
		if r < 'A' {
			return -1
		}
		return r
	}, text) + "XX"
	ports := make([]string, 5)
	for i := range ports {
		ports[i] = country[:2] + text[:2] + string(rune('A'+i))
	}
	return ports
}

// call makes a request of the set-up that must have a certain status. JSON of the answer goes into v.
func (b *builder) call(ctx context.Context, want int, r request, v any) error {
	a := b.patiently(ctx, r)
	if a.status == 0 {
		return fmt.Errorf("%s: no answer: is Fairway running at %s?", r, b.base)
	}
	if a.status != want {
		return fmt.Errorf("%s: status %d, want %d (trace %s): %s", r, a.status, want, a.trace, clean(a.text()))
	}
	return a.decode(v)
}

// person signs somebody up and in.
func (b *builder) person(ctx context.Context, name, role string) (*person, error) {
	email, password := b.run+"-"+name+"@example.com", rand.Text()
	sign := encode(map[string]any{"name": name, "company": b.run, "email": email, "password": password, "roles": []string{role}})
	if err := b.call(ctx, http.StatusCreated, request{method: http.MethodPost, path: "/users", body: sign, key: b.run + "-" + name}, &struct{}{}); err != nil {
		return nil, err
	}
	var session struct {
		Token     string    `json:"token"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	login := encode(map[string]string{"email": email, "password": password})
	if err := b.call(ctx, http.StatusOK, request{method: http.MethodPost, path: "/sessions", body: login}, &session); err != nil {
		return nil, err
	}
	if needed := 2*b.o.load + 2*b.o.settle + 10*time.Minute; time.Until(session.ExpiresAt) < needed {
		return nil, fmt.Errorf("tokens of this Fairway are good until %s, the run may need %s", session.ExpiresAt.Format(time.RFC3339), needed)
	}
	return &person{name: name, token: session.Token}, nil
}

// voyage offers the voyage of a number, on a vessel of its own. Hot ones fill up while the load runs. Of the others every
// second one has ports, and some are so small that they are full most of the time: there a place that is given back is
// fought for. What fills up is now the room, now the weight.
func (b *builder) voyage(ctx context.Context, i int, ports []string) (*voyage, error) {
	const plenty, plentyKg = 1_000_000, 2_000_000_000
	capacity, kg := plenty, plentyKg
	small := b.o.writers * 4
	switch n := i - b.o.hot; {
	case n < 0 && i%2 == 0:
		capacity = 10 * small
	case n < 0:
		kg = min(plentyKg, 10*small*maxBooking/4)
	case n%4 == 2:
		capacity = small
	case n%4 == 3:
		kg = min(plentyKg, small*maxBooking/4)
	}
	v := &voyage{carrier: b.carriers[i%len(b.carriers)]}
	if n := i - b.o.hot; n >= 0 && n%2 == 1 {
		v.ports = ports[:3+n/2%(len(ports)-2)]
	}
	var made struct {
		Vessel struct {
			ID string `json:"id"`
		} `json:"vessel"`
	}
	name := fmt.Sprintf("%s %d", b.run, i)
	err := b.call(ctx, http.StatusCreated, request{method: http.MethodPost, path: "/vessels", token: v.carrier.token,
		key: fmt.Sprintf("%s-vessel-%d", b.run, i), body: encode(map[string]any{
			"name": name, "capacity": capacity, "max_weight": kg, "open_sailing": len(v.ports) == 0,
		})}, &made)
	if err != nil {
		return nil, err
	}
	if len(v.ports) == 0 {
		v.id, err = b.sailing(ctx, made.Vessel.ID)
		return v, err
	}
	var planned struct {
		Voyage sailing `json:"voyage"`
	}
	err = b.call(ctx, http.StatusCreated, request{method: http.MethodPost, path: "/vessels/" + url.PathEscape(made.Vessel.ID) + "/voyages",
		token: v.carrier.token, key: fmt.Sprintf("%s-voyage-%d", b.run, i),
		body: encode(map[string]any{"number": fmt.Sprint(i), "calls": schedule(v.ports, i)})}, &planned)
	v.id = planned.Voyage.ID
	return v, err
}

// call is a port call.
type call struct {
	Port      string     `json:"port"`
	Arrival   *time.Time `json:"arrival,omitempty"`
	Departure *time.Time `json:"departure,omitempty"`
}

// schedule lets a voyage start in a month, a day at sea between ports.
func schedule(ports []string, i int) []call {
	at := time.Now().UTC().Truncate(time.Hour).Add(30*24*time.Hour + time.Duration(i)*time.Hour)
	var calls []call
	for n, p := range ports {
		c := call{Port: p}
		if n > 0 {
			arrival := at
			c.Arrival = &arrival
		}
		if n < len(ports)-1 {
			departure := at.Add(time.Hour)
			c.Departure = &departure
		}
		calls = append(calls, c)
		at = at.Add(24 * time.Hour)
	}
	return calls
}

// sailing is a voyage as the API shows it.
type sailing struct {
	ID       string `json:"id"`
	VesselID string `json:"vessel_id"`
	State    string `json:"state"`
	Legs     []leg  `json:"legs"`
}

// leg is the room between two calls: TEU in steps of a quarter, kg.
type leg struct {
	Capacity   float64 `json:"capacity"`
	Used       float64 `json:"used"`
	Free       float64 `json:"free"`
	MaxWeight  int64   `json:"max_weight"`
	UsedWeight int64   `json:"used_weight"`
}

// sailing finds the open sailing of a vessel, which is among the newest voyages.
func (b *builder) sailing(ctx context.Context, vessel string) (id string, err error) {
	err = walk(ctx, b.client, b.carriers[0].token, "/voyages", nil, "voyages", func(v *sailing) (string, error) {
		if v.VesselID == vessel {
			id = v.ID
			return "", errEnough
		}
		return v.ID, nil
	}, pagedTwice)
	if err == nil && id == "" {
		err = errors.New("vessel " + vessel + " has no open sailing")
	}
	return id, err
}

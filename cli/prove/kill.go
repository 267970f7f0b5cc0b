package prove

import (
	"context"
	"os/exec"
	"slices"
	"time"
)

// killTimeout is how long the kill command may take.
const killTimeout = 30 * time.Second

// kill runs the kill command at random moments of the load, each time after bookings are answered again since the last, until
// it was done as often as was asked or ctx ends. The last one comes near the end, so that what it leaves half done is
// settled in view.
func (r *run) kill(ctx context.Context) {
	start := time.Now()
	for _, at := range r.moments() {
		if !sleep(ctx, time.Until(start.Add(at))) {
			break
		}
		for !r.outages.back() {
			if !sleep(ctx, 10*time.Millisecond) {
				break
			}
		}
		r.killOnce(ctx)
	}
	if short := r.o.kills - r.kills; short > 0 {
		r.found.add(notKilled, "%d of %d kills could not be made in time: %s", short, r.o.kills, r.killProblem)
	}
}

// moments are when to kill, since the start of the load, in order.
func (r *run) moments() []time.Duration {
	moments := make([]time.Duration, r.o.kills)
	for i := range moments {
		moments[i] = time.Duration((0.03 + 0.87*r.rng.Float64()) * float64(r.o.load))
	}
	if n := len(moments); n > 0 {
		moments[n-1] = time.Duration((0.90 + 0.06*r.rng.Float64()) * float64(r.o.load))
	}
	slices.Sort(moments)
	return moments
}

// killOnce kills, and tries again for as long as the command fails, as it does between the death of a process and the birth
// of the next.
func (r *run) killOnce(ctx context.Context) {
	r.killProblem = "Fairway was away for too long"
	for ctx.Err() == nil {
		r.outages.killing()
		command, cancel := context.WithTimeout(ctx, killTimeout)
		out, err := exec.CommandContext(command, "/bin/sh", "-c", r.o.killCommand).CombinedOutput()
		cancel()
		r.outages.killed(err == nil)
		if err == nil {
			r.kills++
			r.lastKill = time.Now()
			return
		}
		r.killProblem = "the command failed: " + err.Error() + " " + string(out)
		sleep(ctx, 100*time.Millisecond)
	}
}

#!/usr/bin/env bash
# Runs fairway prove, with the flags that are given, against a temporary Fairway that is killed with kill -9 again and again
# and started again at once. It ends with the exit code of fairway prove, and leaves nothing behind unless something was
# found: then the documents and the log stay, and it says where.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
supervisor=
finish() {
	local code=$? told='' pid
	trap '' INT TERM # what comes twice must not end this half way
	touch "$work/stop"
	# The supervisor may just be starting another Fairway: each is told to stop, once, until the supervisor is gone.
	while [ -n "$supervisor" ] && kill -0 "$supervisor" 2>/dev/null; do
		pid=$(cat "$work/pid" 2>/dev/null || true)
		if [ -n "$pid" ] && [ "$pid" != "$told" ]; then
			kill "$pid" 2>/dev/null || true
			told=$pid
		fi
		sleep 0.1
	done
	if [ "$code" = 1 ]; then
		echo "The documents and the log of this Fairway are in $work." >&2
	else
		rm -rf "$work"
	fi
	exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# supervise starts Fairway whenever it is not running: first on any free port, then always on the same, which its clients know.
supervise() {
	while [ ! -e "$work/stop" ]; do
		bin/fairway serve --data.dir "$work/data" --api.address "$(cat "$work/address")" --rpc.address 127.0.0.1:0 \
			--log.level warn >"$work/out" 2>>"$work/log" &
		echo $! >"$work/pid"
		wait $! || [ $? -gt 128 ] || { touch "$work/failed"; sleep 0.2; } # what was not killed would fail again at once
	done 2>/dev/null # the shell's own words about killed processes
}
echo 127.0.0.1:0 >"$work/address"
supervise &
supervisor=$!

api=
for _ in $(seq 300); do
	if [ -e "$work/out" ]; then
		api=$(sed -n 's|^ *HTTP *\(http://[^ ]*\).*|\1|p' "$work/out")
	fi
	[ -z "$api" ] && [ ! -e "$work/failed" ] || break
	sleep 0.1
done
if [ -z "$api" ]; then
	echo "Fairway did not start:" >&2
	tail -n 20 "$work/log" >&2
	exit 2
fi
echo "${api#http://}" >"$work/address"

code=0
bin/fairway prove --api "$api" --kill-command "kill -9 \$(cat '$work/pid')" "$@" || code=$?
exit "$code"

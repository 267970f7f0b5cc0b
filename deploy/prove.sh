#!/usr/bin/env bash
# Runs fairway prove, with the flags that are given, against a temporary Fairway that is killed with kill -9 again and again
# and started again at once. It ends with the exit code of fairway prove, and leaves nothing behind unless something was
# found: then the documents and the log stay, and it says where.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
supervisor=
finish() {
	local code=$?
	if [ -n "$supervisor" ]; then
		touch "$work/stop"
		kill "$(cat "$work/pid")" 2>/dev/null || true
		wait "$supervisor" || true
	fi
	if [ "$code" = 1 ]; then
		echo "The documents and the log of this Fairway are in $work." >&2
	else
		rm -rf "$work"
	fi
	exit "$code"
}
trap finish EXIT

# supervise starts Fairway whenever it is not running: first on any free port, then always on the same, which its clients know.
supervise() {
	while [ ! -e "$work/stop" ]; do
		bin/fairway serve --data.dir "$work/data" --api.address "$(cat "$work/address")" --rpc.address 127.0.0.1:0 \
			--log.level warn >"$work/out" 2>>"$work/log" &
		echo $! >"$work/pid"
		wait $! || true
	done 2>/dev/null # the shell's own words about killed processes
}
echo 127.0.0.1:0 >"$work/address"
echo 0 >"$work/pid"
supervise &
supervisor=$!

api=
for _ in $(seq 300); do
	if [ -e "$work/out" ]; then
		api=$(sed -n 's|^ *HTTP *\(http://[^ ]*\).*|\1|p' "$work/out")
	fi
	[ -z "$api" ] || break
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

#!/usr/bin/env bash
# Books freight through the command line and shows each command with what it prints: with the Fairway at FAIRWAY_API, or
# with a temporary one of its own on free ports, which leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
server=
finish() {
	local code=$?
	trap '' INT TERM # what comes twice must not end this half way
	if [ -n "$server" ]; then
		kill "$server" 2>/dev/null || true
		wait "$server" || true
	fi
	rm -rf "$work"
	exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The log-ins of the demo are its own.
unset FAIRWAY_TOKEN
export FAIRWAY_PASSWORD="demo-$RANDOM-$RANDOM-$RANDOM"

if [ -z "${FAIRWAY_API:-}" ]; then
	bin/fairway serve --data.dir "$work/data" --api.address 127.0.0.1:0 --rpc.address 127.0.0.1:0 >"$work/out" 2>"$work/log" &
	server=$!
	for _ in $(seq 300); do
		FAIRWAY_API=$(sed -n 's|^ *HTTP *\(http://[^ ]*\).*|\1|p' "$work/out")
		[ -z "$FAIRWAY_API" ] || break
		kill -0 "$server" 2>/dev/null || break
		sleep 0.1
	done
	if [ -z "$FAIRWAY_API" ]; then
		echo "Fairway did not start:" >&2
		cat "$work/out" "$work/log" >&2
		exit 1
	fi
	export FAIRWAY_API
fi

# as NAME COMMAND... runs a command with a log-in of NAME's own.
as() {
	local name=$1
	shift
	printf '\n%s$ fairway%s\n' "$name" "$(printf ' %q' "$@")"
	XDG_CONFIG_HOME="$work/$name" bin/fairway "$@"
}
title() { printf '\n== %s\n' "$*"; }

mark=$(date +%s)-$$ # makes the accounts new ones, whatever the Fairway at FAIRWAY_API has seen

title "A carrier offers three vessels; each gets an open sailing"
as carrier user create --name Cy --company "Demo Lines" --email "cy-$mark@example.com" --role carrier --login
as carrier vessel create --file deploy/samples/vessel.json

title "A shipper books three containers, and they get their place"
as shipper user create --name Ada --company "Demo Engines" --email "ada-$mark@example.com" --role shipper --login
as shipper consignment create --file deploy/samples/consignment.json | tee "$work/booking"
booking=$(awk '$1 == "ID" { print $2 }' "$work/booking")
voyage=$(awk '$1 == "VOYAGE" { print $2 }' "$work/booking")

title "The voyage has that much less room"
as shipper voyage get "$voyage"

title "What no vessel can carry is refused"
as shipper consignment create --description "The moon" --weight 2000000000 --containers 500 || echo "(exit code $?)"

title "A cancelled booking gives its room back"
as shipper consignment cancel "$booking"
as shipper voyage get "$voyage"

title "And all of it is in the log"
for _ in $(seq 50); do # events arrive on their own time
	XDG_CONFIG_HOME="$work/shipper" bin/fairway log --entity "$booking" --action cancelled | grep -q "$booking" && break
	sleep 0.1
done
as shipper log --entity "$booking"

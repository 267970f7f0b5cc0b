#!/usr/bin/env bash
# Runs the commands of the README in order, in one shell, against the Fairway that `make run` starts, and compares what
# they print with what the README says they print.
#
# A ```sh block after the comment <!-- run --> is run and must succeed. A ```text block that follows it is its output,
# to the letter but for ids, times, tokens and trace ids. After <!-- run until --> it is run again until it prints that, for
# 10 s, as for the log, where events arrive on their own time. Other ```sh blocks may only hold the commands named below.
set -euo pipefail
cd "$(dirname "$0")/.."
unrun='^(make (run|test)|)$' # the first starts the Fairway of this check, the second is too much to repeat here

work=$(mktemp -d)
server=
finish() {
	if [ -n "$server" ]; then
		kill -INT -- "-$server" 2>/dev/null || true
		wait "$server" 2>/dev/null || true
	fi
	rm -rf "$work"
}
trap finish EXIT

# The blocks become 01.sh, 02.sh, ... with 01.text where an output follows; what is not run goes to rest.
awk -v work="$work" '
	/^```/ && kind != "" { close(file); kind = ""; next }
	kind != ""           { print > file; next }
	/^<!-- run( until)? -->$/ { run = 1; until = $3 == "until"; next }
	/^```sh$/            { kind = "sh"; file = work "/rest"; if (run) { file = sprintf("%s/%02d%s.sh", work, ++n, until ? ".until" : ""); shown = 1 } run = 0; next }
	/^```text$/          { kind = "text"; file = shown ? sprintf("%s/%02d%s.text", work, n, until ? ".until" : "") : "/dev/null"; shown = 0; next }
	/^```/               { kind = "other"; file = "/dev/null"; shown = 0; next }
	/[^ ]/               { shown = 0 }
' README.md
compgen -G "$work/*.sh" >/dev/null || { echo "The README has no block to run."; exit 1; }
if grep -Ev "$unrun" "$work/rest"; then
	echo "These commands of the README are not run by this check."
	exit 1
fi

# A home, documents and log of its own; a process group of its own, as make and Fairway are two processes.
export XDG_CONFIG_HOME="$work/config" FAIRWAY_DATA_DIR="$work/data"
unset FAIRWAY_API FAIRWAY_TOKEN FAIRWAY_PASSWORD
set -m
make run >"$work/make" 2>&1 &
server=$!
set +m
for _ in $(seq 600); do
	grep -q '^Fairway is running' "$work/make" && break
	kill -0 "$server" 2>/dev/null || break
	sleep 0.2
done
if ! grep -q '^Fairway is running' "$work/make"; then
	echo "make run did not start Fairway:"
	cat "$work/make"
	exit 1
fi

# What differs from run to run, in the order in which one pattern could be part of another.
same() {
	sed -E \
		-e 's/[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}/TOKEN/g' \
		-e 's/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/ID/g' \
		-e 's/[0-9a-f]{32}/TRACE/g' \
		-e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/TIME/g' "$1"
}
{
	declare -f same
	for block in "$work"/*.sh; do
		echo "echo '$block' >'$work/current'"
		got=${block%.sh}.got
		if [[ $block == *.until.sh ]]; then
			echo "for _ in {1..50}; do . '$block' >'$got' 2>&1; cmp -s <(same '${block%.sh}.text') <(same '$got') && break; sleep 0.2; done"
		else
			echo ". '$block' >'$got' 2>&1"
		fi
	done
} >"$work/all"
if ! bash -eu -o pipefail "$work/all"; then
	block=$(cat "$work/current")
	echo "This block of the README failed:"
	cat "$block"
	echo "It printed:"
	cat "${block%.sh}.got"
	exit 1
fi

failed=0
for text in "$work"/*.text; do
	if ! diff -u --label "the README says" --label "it printed" <(same "$text") <(same "${text%.text}.got"); then
		failed=1
	fi
done
[ "$failed" = 0 ] || exit 1
echo "The README's commands do what it says."

#!/usr/bin/env bash
# Runs the commands of the README in order, in one shell, against the Fairway that `make run` starts, and compares what
# they print with what the README says they print.
#
# A ```sh block after the comment <!-- run --> is run and must succeed. A ```text block that follows it is its output,
# to the letter but for ids, times, tokens and trace ids. Two words may follow run, in this order:
#
#   until  it is run again until it prints that, for 75 s, as for the log, where events arrive on their own time and
#          signatures each minute
#   about  no number is compared, nor the width of columns, and a line ... stands for any lines
#
# Other ```sh blocks may only hold the commands named below.
set -euo pipefail
cd "$(dirname "$0")/.."
unrun='^(make (run|test)|)$' # the first starts the Fairway of this check, the second is too much to repeat here

work=$(mktemp -d)
server=
finish() {
	local code=$?
	trap '' INT TERM # what comes twice must not end this half way
	if [ -n "$server" ]; then
		kill -INT -- "-$server" 2>/dev/null || true
		wait "$server" 2>/dev/null || true
	fi
	rm -rf "$work"
	exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The blocks become 01.sh, 02.until.sh, ... with 01.text where an output follows; what is not run goes to rest.
awk -v work="$work" '
	/^```/ && kind != "" { close(file); kind = ""; next }
	kind != ""           { print > file; next }
	/^<!-- run( until)?( about)? -->$/ {
		name = sprintf("%s/%02d%s%s", work, ++n, / until/ ? ".until" : "", / about/ ? ".about" : "")
		run = 1
		next
	}
	/^```sh$/            { kind = "sh"; file = run ? name ".sh" : work "/rest"; shown = run; run = 0; next }
	/^```text$/          { kind = "text"; file = shown ? name ".text" : "/dev/null"; shown = 0; next }
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

# same FILE prints a block's output without what differs from run to run, in the order in which one pattern could be part of
# another.
same() {
	tr -d '\r' <"$1" | sed -E \
		-e 's/[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}/TOKEN/g' \
		-e 's/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/ID/g' \
		-e 's/[0-9a-f]{32}/TRACE/g' \
		-e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/TIME/g' |
		case $1 in
		*.about.*) sed -E -e 's/[0-9a-f]{16}/HASH/g' -e 's/[0-9]+(\.[0-9]+)?/N/g' -e 's/ +/ /g' ;;
		*) cat ;;
		esac
}

# holds TEXT tells whether the block printed what the README says in TEXT.
holds() {
	local got=${1%.text}.got
	if [[ $1 != *.about.text ]]; then
		cmp -s <(same "$1") <(same "$got")
		return
	fi
	awk '
		FILENAME == ARGV[1] { printed[++n] = $0; next }
		$0 == "..."         { any = 1; next }
		{
			i++
			while (any && i < n && printed[i] != $0) i++
			if (i > n || printed[i] != $0) { differs = 1; exit }
			any = 0
		}
		END { exit differs || i < n && !any }
	' <(same "$got") <(same "$1")
}

{
	declare -f same holds
	for block in "$work"/*.sh; do
		name=${block%.sh}
		echo "echo '$block' >'$work/current'"
		if [[ $block == *.until*.sh ]]; then
			echo "end=\$((SECONDS + 75))"
			echo "while true; do . '$block' >'$name.got' 2>&1; if holds '$name.text' || ((SECONDS >= end)); then break; fi; sleep 0.5; done"
		else
			echo ". '$block' >'$name.got' 2>&1"
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
	if ! holds "$text"; then
		diff -u --label "the README says" --label "it printed" <(same "$text") <(same "${text%.text}.got") || true
		failed=1
	fi
done
[ "$failed" = 0 ] || exit 1
echo "The README's commands do what it says."

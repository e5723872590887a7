#!/bin/sh
# Makes control groups of this host that are held back, full, and out of memory, and asks hostvet. Needs root; changes nothing that stays.
# Usage: tests/live/cgroups.sh [HOSTVET]
set -eu
hostvet=${1:-target/debug/hostvet}
name=hostvet-live-$$
root=/sys/fs/cgroup
if [ -e $root/cgroup.controllers ]; then
    cpu=$root/$name memory=$root/$name pids=$root/$name
    echo '+cpu +memory +pids' > $root/cgroup.subtree_control
else
    cpu=$root/cpu/$name memory=$root/memory/$name pids=$root/pids/$name
fi
config=$(mktemp)
finish() {
    # All in these groups was started here.
    for group in "$cpu" "$memory"; do
        while read -r process; do kill -9 "$process" 2>/dev/null || true; done < "$group/cgroup.procs"
    done
    wait 2>/dev/null || true
    sleep 0.2
    for group in "$cpu" "$memory" "$pids"; do rmdir "$group" 2>/dev/null || true; done
    rm -f "$config"
}
trap finish EXIT
mkdir -p "$cpu" "$memory" "$pids"

# A busy loop that may have a hundredth of a CPU.
if [ -e "$cpu/cpu.max" ]; then echo '1000 100000' > "$cpu/cpu.max"; else echo 1000 > "$cpu/cpu.cfs_quota_us"; fi
sh -c 'while :; do :; done' & busy=$!
echo $busy > "$cpu/cgroup.procs"

# 14 of 32 MiB that cannot be dropped (a variable of a shell), and then one who wants more than there is.
if [ -e "$memory/memory.max" ]; then limit=$memory/memory.max; else limit=$memory/memory.limit_in_bytes; fi
echo 33554432 > "$limit"
sh -c 'echo $$ > "$1/cgroup.procs"; text=$(head -c 14000000 /dev/zero | tr "\0" x); sleep 60; : "$text"' sh "$memory" &
sleep 3
cat > "$config" <<EOF
[params."load/cpu-throttled"]
least_periods = 5
[params."memory/cgroup-near-limit"]
percent = 40
EOF

fail=0
expect() {
    rule=$1 words=$2
    if "$hostvet" check --quiet --config "$config" --select "$rule" | grep -F "/$name" | grep -F "$words"; then
        echo "ok: $rule"
    else
        echo "MISSING: $rule does not say \`$words\`"; fail=1
    fi
}
expect load/cpu-throttled 'may use 0.01 CPUs'
expect memory/cgroup-near-limit 'of at most 32 MiB'
sh -c 'echo $$ > "$1/cgroup.procs"; head -c 200000000 /dev/zero | tail -c 150000000 > /dev/null' sh "$memory" || true
expect memory/cgroup-oom 'may use 32 MiB of memory'
exit $fail

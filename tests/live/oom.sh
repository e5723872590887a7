#!/bin/sh
# Makes the kernel kill a process that outgrows a cgroup of 16 MiB, and shows that hostvet finds it. Needs root and a cgroup
# hierarchy with the memory controller that may be written to; says so and ends with 0 where there is none. Nothing outside the
# cgroup is touched; the cgroup is removed at the end. The kernel's count of kills stays one higher until the next boot.
#
#     tests/live/oom.sh [HOSTVET]
set -eu
hostvet=${1:-"$(dirname "$0")/../../target/debug/hostvet"}

skip() { echo "skipped: $*"; exit 0; }
[ "$(id -u)" = 0 ] || skip "needs root"
[ -r /dev/kmsg ] || skip "/dev/kmsg cannot be read"

# The group that this shell may make another one beside; a v2 group with processes in it gives its children no controllers.
name=hostvet-oom-test-$$
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  group=/sys/fs/cgroup/$name limit=memory.max swap=memory.swap.max
  grep -qw memory /sys/fs/cgroup/cgroup.controllers || skip "no memory controller"
  grep -qw memory /sys/fs/cgroup/cgroup.subtree_control || echo +memory >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null ||
    skip "the memory controller cannot be switched on"
else
  mine=$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup)
  group=/sys/fs/cgroup/memory${mine%/}/$name limit=memory.limit_in_bytes swap=memory.memsw.limit_in_bytes
fi
mkdir "$group" 2>/dev/null || skip "$group cannot be made"
trap 'rmdir "$group"' EXIT
echo 16777216 >"$group/$limit" || skip "$limit cannot be set"
[ ! -f "$group/$swap" ] || { [ "$limit" = memory.max ] && echo 0 || echo 16777216; } >"$group/$swap" || true

kills() { sed -n 's/^oom_kill //p' /proc/vmstat; }
before=$(kills)
# A variable of 64 MiB; the shell that joins the group dies of it, not this one.
sh -c "echo \$\$ >'$group/cgroup.procs'; x=\$(head -c 67108864 /dev/zero | tr '\\0' x); echo survived" 2>/dev/null || true
after=$(kills)
echo "oom_kill of /proc/vmstat: $before before, $after after"
[ "${after:-1}" != "${before:-0}" ] || { echo "nothing was killed"; exit 1; }

status=0
found() {
  said=$("$hostvet" check --select "$1" --fail-on never -q)
  echo "$said"
  echo "$said" | grep -q "$2" || { echo "FAILED: $1 does not say: $2"; status=1; }
}
found memory/oom-kills 'the OOM killer has killed processes'
found klog/oom "at the limit of .*$name"
[ "$status" != 0 ] || echo "ok"
exit "$status"

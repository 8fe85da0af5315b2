#!/bin/bash
# container.sh STAGE GROUP...: boots systemd on a copy of this machine's root, with STAGE laid over
# it, in the control groups GROUP.
#
# Run it in a mount namespace of its own (unshare --mount): its mounts and the files in them then
# last exactly as long as the container. The container tells $NOTIFY_SOCKET when it has booted.
set -euo pipefail
stage=$1
shift

for group in "$@"; do
  echo $$ > "$group/cgroup.procs"
done
mount -t tmpfs tmpfs /run # over the host's, where systemd-nspawn would leave files
mkdir /run/upper /run/work /run/root
cp -a "$stage/." /run/upper
mkdir -p /run/upper/etc/systemd/system
ln -s /dev/null /run/upper/etc/systemd/system/timers.target # starts none of this machine's timers
mount -t overlay -o lowerdir=/,upperdir=/run/upper,workdir=/run/work overlay /run/root

# basic.target has only what a service may expect, so no service of this machine is started a second
# time. systemd-nspawn refuses Landlock, which the workers need, unless told otherwise.
exec systemd-nspawn --quiet --register=no --keep-unit --private-network --link-journal=no \
  --notify-ready=yes --console=pipe --directory=/run/root --machine=ringmaster-test \
  --system-call-filter="landlock_create_ruleset landlock_add_rule landlock_restrict_self" \
  --boot -- systemd.unit=basic.target

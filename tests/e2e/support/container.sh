#!/bin/bash
# container.sh STAGE GROUP...: boots systemd on a copy of this machine's root, with STAGE laid over
# it, in the control groups GROUP.
#
# For a mount namespace of its own (unshare --mount): what is mounted and written here then lasts
# exactly as long as the container. It says to $NOTIFY_SOCKET when it has booted.
set -euo pipefail
stage=$1
shift

for group in "$@"; do
  echo $$ > "$group/cgroup.procs"
done
mount -t tmpfs tmpfs /run # over the host's, where systemd-nspawn would leave files
mkdir /run/upper /run/work /run/root
cp -a "$stage/." /run/upper
mount -t overlay -o lowerdir=/,upperdir=/run/upper,workdir=/run/work overlay /run/root

# Only what a service may expect: no service of this machine is started a second time. A container
# refuses Landlock unless it is told otherwise, and workers confine themselves with it.
exec systemd-nspawn --quiet --register=no --keep-unit --private-network --link-journal=no \
  --notify-ready=yes --console=pipe --directory=/run/root --machine=ringmaster-test \
  --system-call-filter="landlock_create_ruleset landlock_add_rule landlock_restrict_self" \
  --boot -- systemd.unit=basic.target

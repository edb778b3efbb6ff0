#!/bin/sh
# What a recovering server runs as its restore_command: gets one file of the log from the process that feeds it.
#
#   fetch-log-file.sh FEED NAME TARGET
#
# FEED has three directories: `ready` with files to take, `wanted` with the names that are waited for, and `absent` with
# the names of which it is certain that there is no such file. Only such a name ends with 1, which tells the server that the
# log ends there; whatever else goes wrong ends with 255, on which it gives up instead of going on with half of the log.

feed=$1 name=$2 target=$3
while [ -d "$feed/ready" ]; do
  if [ -e "$feed/ready/$name" ]; then
    mv -f "$feed/ready/$name" "$target" && exit 0
    exit 255
  fi
  [ ! -e "$feed/absent/$name" ] || exit 1
  [ -e "$feed/wanted/$name" ] || : >"$feed/wanted/$name" || exit 255
  # A sleep that knows whole seconds only makes it slower.
  sleep 0.02 2>/dev/null || sleep 1
done
exit 255

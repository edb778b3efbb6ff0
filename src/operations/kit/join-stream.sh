#!/bin/sh
# Makes an append-only file of a Redis backup and the stream behind it: a server that is started there replays all of it.
#
#   join-stream.sh RESTORED TARGET
#
# RESTORED has what stock restic restored: the backup, and beside it in wal/ the parts of the stream. TARGET takes the file.
set -eu
restored=$1 target=$2
mkdir -p "$target"
cp "$restored/data/dump.rdb" "$target/appendonly.aof"
at=$(tr -d ' \n' <"$restored/.holdfast/manifest.json" | sed 's/.*"offset":"\{0,1\}\([0-9]*\).*/\1/')

# In the order of their names, which is that of the stream. What is in two parts is taken once.
for part in "$restored"/wal/*.aof; do
  [ -e "$part" ] || break
  range=$(basename "$part" .aof)
  range=${range#*-}
  start=$((0x${range%-*})) end=$((0x${range#*-}))
  [ "$end" -gt "$at" ] || continue
  if [ "$start" -gt "$at" ]; then
    echo "the stream from $at to $start is not there: what came behind it is left out" >&2
    break
  fi
  tail -c +$((at - start + 1)) "$part" >>"$target/appendonly.aof"
  at=$end
done

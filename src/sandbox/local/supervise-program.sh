#!/bin/sh
# Runs one program of a PostgreSQL cluster until it ends by itself, or until the parent is gone.
#
#   supervise-program.sh STOP_SIGNAL GRACE_SECONDS DIRECTORY SERVER_PROGRAM DATA_DIRECTORY LOG PROGRAM [ARGUMENT...]
#
# Standard input is a pipe that the parent holds and writes nothing to. At its end (the parent closed it, or died) the
# program gets STOP_SIGNAL, and SIGKILL after GRACE_SECONDS. Whichever way the program ends, no server process of this
# data directory is left, and standard output stays open until then. LOG takes the program's output; empty, it goes to standard error.
# File descriptor 3, inherited, keeps the directory: its guard waits until every process that holds it is gone.

stop_signal=$1 grace_seconds=$2 directory=$3 server_program=$4 data_directory=$5 log=$6
shift 6
# A background job's standard input is /dev/null, so the pipe moves to a descriptor that survives that.
exec 4<&0 </dev/null
trap '' HUP INT QUIT TERM PIPE
umask 077
cd "$directory" || exit 126

if [ -n "$log" ]; then
  "$@" 4<&- >>"$log" 2>&1 &
else
  "$@" 4<&- >&2 &
fi
program=$!

(
  while read -r _ <&4; do :; done
  kill -"$stop_signal" "$program"
  waited_tenths=0
  while kill -0 "$program" && [ "$waited_tenths" -lt "$((grace_seconds * 10))" ]; do
    # This may outlive the supervisor by one round; it must hold nothing that somebody waits for.
    # A sleep that knows whole seconds only makes the grace longer.
    { sleep 0.1 || sleep 1; } >/dev/null 2>&1 3>&- 4<&-
    waited_tenths=$((waited_tenths + 1))
  done
  kill -KILL "$program"
) 2>/dev/null &
watcher=$!

wait "$program"
status=$?
kill -KILL "$watcher" 2>/dev/null

# A server that was killed leaves children, which notice only when they are idle, and a segment of shared memory.
for process in /proc/[0-9]*; do
  if [ "$process/exe" -ef "$server_program" ] && [ "$process/cwd" -ef "$data_directory" ]; then
    kill -KILL "${process#/proc/}" 2>/dev/null
  fi
done
if [ -s "$data_directory/postmaster.pid" ]; then
  segment=$(sed -n '7s/^ *[0-9]* *\([0-9]*\) *$/\1/p' "$data_directory/postmaster.pid")
  [ -z "$segment" ] || ipcrm -m "$segment" 2>/dev/null
fi
exit "$status"

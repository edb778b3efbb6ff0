#!/bin/sh
# Has the session of this process weigh less than others until whoever writes to its standard input is gone, by SIGKILL too, and
# nobody else in the session wants the same. Says "low" once it does.
#   weigh-session.sh FILE NICENESS
# Each who wants it has a shared lock of FILE, whose text is the niceness from before; who begins or ends it has the lock alone.
trap '' HUP INT QUIT TERM
session=/proc/self/autogroup

# The kernel takes a few changes a second, of all sessions together.
set_niceness() {
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    { echo "$1" >"$session"; } 2>/dev/null && return
    sleep 0.1
  done
}

# Who ended it last has removed the file, and with it what others have opened.
is_current() { [ "$1" -ef /proc/self/fd/9 ]; }

begin() {
  [ -s "$1" ] || sed 's/.* nice //' "$session" >"$1"
  [ "$(cat "$1")" -ge "$2" ] || set_niceness "$2"
}

while :; do
  exec 9<>"$1"
  if flock -xn 9 && is_current "$1"; then begin "$1" "$2"; fi
  flock -s 9 || exit
  [ -s "$1" ] && is_current "$1" && break
done
echo low
cat >/dev/null
flock -u 9
if flock -xn 9 && is_current "$1"; then
  set_niceness "$(cat "$1")"
  rm -f "$1"
fi

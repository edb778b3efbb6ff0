#!/bin/sh
# Makes a directory, and removes it when nobody needs it any more.
#
#   guard-directory.sh DIRECTORY
#
# Standard input is a pipe whose other end the parent holds, and whoever else the parent gave it to. It carries nothing:
# its end says that all of them are done, or dead, however they died. "ready" on standard output says that the
# directory is there.

directory=$1
exec 3<&0 </dev/null
# Ctrl-C, a closed terminal or a parent that no longer reads must not end this before it has cleaned up.
trap '' HUP INT QUIT TERM PIPE
umask 077
mkdir "$directory" || exit 1
echo ready

while read -r _ <&3; do :; done

for attempt in 1 2 3 4 5; do
  [ "$attempt" = 1 ] || sleep 1
  rm -rf "$directory" 2>/dev/null && exit 0
  # Directories that were restored without the right to write stand in the way of anybody but root.
  find "$directory" -type d -exec chmod u+rwx {} \; 2>/dev/null
done
rm -rf "$directory"

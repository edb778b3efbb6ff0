#!/bin/sh
# The restore_command of a cluster that was restored with its log beside it: gives the server one file of that log.
#
#   fetch-laid-log.sh NAME TARGET
#
# Only where the log is all there, and NAME is not in it, does it end with 1, which tells the server that the log ends there.
# Whatever else goes wrong ends with 255, on which the server gives up instead of going on with half of the log.

log=${0%/*}
[ -e "$log/complete" ] || exit 255
[ -e "$log/$1" ] || exit 1
cp "$log/$1" "$2" || exit 255

#!/bin/sh
# Writes the newest part of a log, which lies beside restic's objects, as what snapshots of the log hold: of PostgreSQL segments
# that a server replays, of Redis the commands of its stream.
#
#   read-tail.sh TAIL TARGET [SYSTEM]
#
# TAIL is the directory holdfast/tail/PLAN/SOURCE of a repository, or a copy of it; TARGET takes the files. SYSTEM is whose log it
# is, where the tail has the logs of several. It takes restic, with RESTIC_REPOSITORY and RESTIC_PASSWORD_FILE set, openssl and
# zstd. What is damaged is found by zstd, and not by the seal.
set -eu
tail=$1 target=$2
mkdir -p "$target"
[ -d "$tail" ] || { echo "no newer part of the log in $tail"; exit 0; }

key=$(restic cat masterkey | tr -d ' \n' | sed 's/.*"encrypt":"\([^"]*\)".*/\1/' | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
opened=$(mktemp)
content=$(mktemp)
trap 'rm -f "$opened" "$content"' EXIT

# An object: 16 bytes of nonce, what AES-256-CTR made of the content, 16 bytes of seal. The content: a line of JSON, a zstd frame.
open_object() {
  nonce=$(head -c 16 "$1" | od -An -v -tx1 | tr -d ' \n')
  tail -c +17 "$1" | head -c -16 | openssl enc -d -aes-256-ctr -K "$key" -iv "$nonce" -out "$opened"
  header=$(head -n 1 "$opened")
  tail -n +2 "$opened" | zstd -q -d -f -o "$content"
}

# The value of a member of the line of JSON.
member() {
  printf '%s' "$header" | sed "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/"
}

# Puts the content into the segments that it belongs to; what is not there of one is zeros.
#   write_segments TIMELINE START
write_segments() {
  segment_bytes=$(member segmentBytes)
  at=$((0x$2))
  read_bytes=0
  total=$(wc -c <"$content")
  while [ "$read_bytes" -lt "$total" ]; do
    within=$((at % segment_bytes))
    piece=$((segment_bytes - within))
    [ "$piece" -le $((total - read_bytes)) ] || piece=$((total - read_bytes))
    name=$(printf '%s%08X%08X' "$1" $((at / 4294967296)) $((at % 4294967296 / segment_bytes)))
    [ -e "$target/$name" ] || truncate -s "$segment_bytes" "$target/$name"
    dd if="$content" of="$target/$name" bs=65536 conv=notrunc status=none \
      iflag=skip_bytes,count_bytes oflag=seek_bytes skip="$read_bytes" count="$piece" seek="$within"
    at=$((at + piece))
    read_bytes=$((read_bytes + piece))
  done
}

set -- "$tail"/${3:-*}/
[ $# = 1 ] || { echo "there are logs of several systems, name one of them as the third word: $*" >&2; exit 1; }

for timeline in "$1"*/; do
  [ -d "$timeline" ] || continue
  for object in "$timeline"*; do
    [ -f "$object" ] || continue
    open_object "$object"
    number=$(basename "$timeline")
    range=$(basename "$object")
    case $(member kind) in
      history) cp "$content" "$target/$(basename "$(member name)")" ;;
      log) write_segments "$number" "${range%-*}" ;;
      stream) tail -c +$(($(member stampsBytes) + 1)) "$content" >"$target/$number-$range.aof" ;;
    esac
  done
done

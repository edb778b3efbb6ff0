#!/bin/sh
# Writes the documents of a Firestore backup into a database, by Firestore's REST interface.
#
#   write-firestore.sh DOCUMENTS projects/PROJECT/databases/DATABASE
#
# DOCUMENTS has what stock restic restored: files of lines, each a document. The database is there already, and empty: what has
# the same name in it is replaced. Run again, it writes all of it once more. It takes curl, and gcloud for who you are.
# Source: https://cloud.google.com/firestore/docs/reference/rest/v1/projects.databases.documents/commit
set -eu
umask 077
documents=$1 database=$2
at_once=50
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

if [ -n "${FIRESTORE_EMULATOR_HOST:-}" ]; then
  service=http://$FIRESTORE_EMULATOR_HOST
else
  service=https://firestore.googleapis.com
fi

# In a file, since everybody sees the arguments of a program. A token lasts an hour.
sign_in() {
  if [ -n "${FIRESTORE_EMULATOR_HOST:-}" ]; then token=owner; else token=$(gcloud auth print-access-token); fi
  printf 'Authorization: Bearer %s\n' "$token" >"$scratch/headers"
}

# Nobody can set the times. A quotation mark within a text has a backslash before it, so that no text is taken for a name.
writes_of() {
  printf '{"writes":['
  sed -e 's|^{"createTime":"[^"]*",|{|' -e 's|,"updateTime":"[^"]*"}$|}|' \
    -e "s|\"name\":\"documents/|\"name\":\"$database/documents/|" \
    -e "s|\"referenceValue\":\"documents/|\"referenceValue\":\"$database/documents/|g" \
    -e 's|^|{"update":|' -e 's|$|}|' "$1" | paste -sd , -
  printf ']}'
}

commit() {
  writes_of "$1" | curl --silent --show-error --retry 5 --output "$scratch/answer" --write-out '%{http_code}' \
    --header "@$scratch/headers" --header 'Content-Type: application/json' --data-binary @- \
    "$service/v1/$database/documents:commit" >"$scratch/status"
  [ "$(cat "$scratch/status")" = 200 ] && return
  echo "Firestore refused documents of $file:" >&2
  cat "$scratch/answer" >&2
  exit 1
}

written=0
for file in "$documents"/*/*.jsonl; do
  [ -e "$file" ] || break
  sign_in
  split -l "$at_once" -a 4 "$file" "$scratch/part-"
  for part in "$scratch"/part-*; do commit "$part"; done
  rm "$scratch"/part-*
  written=$((written + $(wc -l <"$file")))
  echo "$written documents are written" >&2
done
[ "$written" -gt 0 ] || { echo "there are no documents below $documents" >&2; exit 1; }

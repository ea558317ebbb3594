#!/bin/sh
# Upload a file, wait, and download the failed rows: SLUICE_ADDRESS=https://… SLUICE_TOKEN=sluice_… sh curl.sh stock.csv
set -eu
api="$SLUICE_ADDRESS/api/v1"
ask() { curl --silent --show-error --fail-with-body -H "Authorization: Bearer $SLUICE_TOKEN" "$@"; }
# The first text with this name in the JSON; with jq: jq -r .id
text() { grep -o "\"$1\":\"[^\"]*\"" | head -n 1 | cut -d '"' -f 4; }

# Upload. The key is a text of your choice: the same file, repeated with it, creates nothing new.
id=$(ask -H "Idempotency-Key: $(basename "$1") $(date +%F)" -F "file=@$1" "$api/imports" | text id)

# Wait.
while status=$(ask "$api/imports/$id/status" | text status); [ "$status" = RUNNING ] || [ "$status" = PAUSED ]; do sleep 1; done
echo "$status"

# Download the failed rows, to be corrected and uploaded again.
[ "$status" = COMPLETED ] || ask -o "${1%.csv}.failed.csv" "$api/imports/$id/failed.csv"

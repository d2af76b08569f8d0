#!/bin/sh
# Publishes a text to the demo's channel through the Pusher HTTP API, on the public port.
#
#   packaging/demo/publish.sh TEXT      publishes
#   packaging/demo/publish.sh -n TEXT   prints the curl line, which is good for ten minutes
set -eu
cd "$(dirname "$0")"

print=no
if [ "${1:-}" = -n ]; then
  print=yes
  shift
fi
. ./.state/.env
text=$(printf '%s' "${1:-Hello from a shell}" | tr '\\"'"'" '___')
data="{\\\"text\\\":\\\"$text\\\",\\\"from\\\":\\\"curl\\\"}"
body="{\"name\":\"message\",\"channel\":\"demo\",\"data\":\"$data\"}"
path=/apps/$REVERB_APP_ID/events
query="auth_key=$REVERB_APP_KEY&auth_timestamp=$(date +%s)&auth_version=1.0"
query="$query&body_md5=$(printf '%s' "$body" | openssl dgst -md5 -r | cut -d' ' -f1)"
signature=$(printf 'POST\n%s\n%s' "$path" "$query" |
  openssl dgst -sha256 -hmac "$REVERB_APP_SECRET" -r | cut -d' ' -f1)

set -- curl -sS --cacert "$PWD/.state/storage/internal/root.crt" \
  -H 'Content-Type: application/json' -d "$body" \
  "https://localhost:8443$path?$query&auth_signature=$signature"
if [ "$print" = yes ]; then
  for word; do
    case $word in
      *[!A-Za-z0-9/._-]*) printf "'%s' " "$word" ;;
      *) printf '%s ' "$word" ;;
    esac
  done
  echo
else
  "$@"
  echo
fi

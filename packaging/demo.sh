#!/usr/bin/env bash
# Builds portero and serves packaging/demo on https://localhost:8443 until ctrl-C.
set -eu
cd "$(dirname "$0")/.."

packaging/deps.sh build
cmake --preset release
cmake --build --preset release

cd packaging/demo
portero=../../build/release/portero
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --silent
mkdir -p .state
[ -e .state/.env ] || { (umask 077 && : >.state/.env) && "$portero" keys --env .state/.env; }

pids=
stop() {
  trap - INT TERM EXIT
  for pid in $pids; do kill "$pid" 2>/dev/null || true; done
  wait
}
trap 'stop; exit 0' INT TERM
trap stop EXIT

python3 backend.py &
backend=$!
"$portero" run --config portero.yaml &
server=$!
pids="$server $backend"

# Serving once the redirect of the plain port is there; about a tenth of a second.
tries=0
until curl -s -o /dev/null http://localhost:8080/; do
  kill -0 "$server" && kill -0 "$backend"
  tries=$((tries + 1))
  [ $tries -lt 100 ] || { echo "portero does not answer on port 8080" >&2; exit 1; }
  sleep 0.1
done

cat <<TEXT

Open      https://localhost:8443   (http://localhost:8080 redirects there)
Publish   packaging/demo/publish.sh "Hello", which now is

$(sh ./publish.sh -n Hello)

Trust     the certificate comes from portero's own CA. Let the browser accept it, or install the
          root: build/release/portero trust --config packaging/demo/portero.yaml
Stop      ctrl-C
TEXT
wait "$server"

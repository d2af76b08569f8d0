#!/bin/sh
# Installs the Debian 12 packages that portero needs.
#
#   packaging/deps.sh build   to compile it and to run the demo
#   packaging/deps.sh test    to run the tests (includes build)
#   packaging/deps.sh bench   to run the benchmarks: the peers and the load tools (includes build)
#
# Returns at once when everything is there. Runs as root or through sudo. Services that Debian
# would start on installation are neither started nor enabled.
set -eu

build_packages="g++ cmake ninja-build ccache pkg-config git
  libboost1.81-dev libboost-json1.81-dev libssl-dev libcurl4-openssl-dev
  libyaml-cpp-dev libfmt-dev libnghttp2-dev libldns-dev libcli11-dev
  zlib1g-dev libzstd-dev libbrotli-dev libre2-dev libargon2-dev libcrypt-dev
  python3 openssl curl ca-certificates"
test_packages="doctest-dev clang-14 clang-format-14 libclang-rt-14-dev llvm-14
  nginx-light php8.2-fpm php8.2-cli php-laravel-framework chromium systemd procps
  pebble caddy bind9 bind9-dnsutils faketime iproute2 strace"
bench_packages="nginx-light haproxy h2o caddy wrk nghttp2-client strace php8.2-fpm"
services="nginx php8.2-fpm haproxy h2o caddy bind9"

usage() {
  echo "usage: packaging/deps.sh build|test|bench" >&2
  exit 2
}

missing_of() {
  installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true)
  for package in "$@"; do
    echo "$installed" | grep -qxF "$package installed" || printf '%s ' "$package"
  done
  # Node.js and npm may have come from elsewhere than Debian.
  command -v node >/dev/null || printf 'nodejs '
  command -v npm >/dev/null || printf 'npm '
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Keeps dpkg from starting services for as long as the file is there.
policy=/usr/sbin/policy-rc.d
policy_is_ours=no
forbid_service_starts() {
  [ -e "$policy" ] && return
  policy_is_ours=yes
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
  as_root chmod 755 "$policy"
}
allow_service_starts() {
  [ "$policy_is_ours" = no ] || as_root rm -f "$policy"
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

install_packages() {
  trap allow_service_starts EXIT
  forbid_service_starts
  # The package lists may be absent, or so old that they name files which are gone: then, and only
  # then, they are fetched.
  apt_install "$@" 2>/dev/null && return
  as_root apt-get update -qq
  apt_install "$@"
}

# A service that came with this installation must not come up at the next boot either.
disable_new_services() {
  command -v systemctl >/dev/null || return 0
  for service in $services; do
    case " $1 " in
      *" $service "* | *" $service-light "*) as_root systemctl -q disable "$service" || true ;;
    esac
  done
}

[ $# = 1 ] || usage
case $1 in
  build) wanted=$build_packages ;;
  test) wanted="$build_packages $test_packages" ;;
  bench) wanted="$build_packages $bench_packages" ;;
  *) usage ;;
esac

missing=$(missing_of $wanted)
[ -n "$missing" ] || exit 0
echo "installing: $missing"
install_packages $missing
disable_new_services "$missing"

#!/usr/bin/env bash
# Passes the tests on a fresh Debian or Ubuntu machine: installs what they need from the distribution where it is
# missing, then formatting, clippy, and every test against real servers on loopback.
set -euo pipefail
cd "$(dirname "$0")/.."

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# A package that is installed for its program only must not start its service (and take port 80).
install() {
  echo "installing: $*"
  local policy=/usr/sbin/policy-rc.d made=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    made=1
  fi
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
  if [ -n "$made" ]; then as_root rm -f "$policy"; fi
}

missing=()
have() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
have nginx nginx
have apache2 apache2
have haproxy haproxy
have logrotate logrotate
have python3 python3
have cc gcc
have fail2ban-regex fail2ban
[ ${#missing[@]} -eq 0 ] || install "${missing[@]}"

if ! command -v cargo >/dev/null 2>&1; then
  [ -r "$HOME/.cargo/env" ] && . "$HOME/.cargo/env"
fi
command -v cargo >/dev/null 2>&1 || { echo "cargo is missing: install Rust from https://rustup.rs or the distribution" >&2; exit 1; }

export PATH="$PATH:/usr/sbin:/sbin"
cargo fmt --all -- --check
cargo clippy --all-targets --locked -- -D warnings
cargo test --locked

#!/bin/bash
# How Proxmox calls a DNS file: proxmox.sh FILE PREFIX setup|teardown DOMAIN, the value in the first line of stdin, then
# one setting a line, cut at the first blank. Saving does nothing: Proxmox passes the settings each time.
file=$1
prefix=$2
action=$3
domain=$4

_info() { printf '%s\n' "$*"; }
_err() { printf '%s\n' "$*" >&2; return 1; }
_debug() { :; }
_exists() { command -v "$1" >/dev/null 2>&1; }
_readaccountconf_mutable() { printf '%s' "${!1}"; }
_saveaccountconf_mutable() { :; }

read -r value
while read -r setting _; do
  export "${setting?}"
done

# shellcheck disable=SC1090 # the file under test
. "$file"
case $action in
  setup) "${prefix}_add" "_acme-challenge.$domain" "$value" ;;
  teardown) "${prefix}_rm" "_acme-challenge.$domain" "$value" ;;
esac

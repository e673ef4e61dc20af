#!/bin/sh
# How OpenWrt's uacme package calls a DNS file: as uacme's hook, openwrt.sh METHOD TYPE IDENT TOKEN VALUE, with the settings
# in the environment, FILE and PREFIX among them. There are fewer helpers than with acme.sh.
_info() { logger_line info "$*"; }
_err() { logger_line err "$*"; return 1; }
_debug() { :; }
_exists() { command -v "$1" >/dev/null 2>&1; }
_readaccountconf_mutable() { eval "printf %s \"\$$1\""; }
_saveaccountconf_mutable() { :; }
logger_line() { printf '%s: %s\n' "$1" "$2" >&2; }

[ "$2" = dns-01 ] || exit 1
# shellcheck disable=SC1090,SC2154 # the file under test, from the environment
. "$FILE"
case $1 in
  begin) "${PREFIX}_add" "_acme-challenge.$3" "$5" ;;
  done | failed) "${PREFIX}_rm" "_acme-challenge.$3" "$5" ;;
esac

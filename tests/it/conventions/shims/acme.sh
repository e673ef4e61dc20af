#!/bin/sh
# shellcheck disable=SC2317,SC2329 # the helpers are called by the file under test
# How acme.sh uses a DNS file: every call in a subshell that reads the file afresh; what is to outlive a call is saved in
# the account's configuration. All additions come first; one that fails ends the run, and only the records added before
# it are removed. Usage: acme.sh FILE PREFIX NAME VALUE [NAME VALUE]…
file=$1
prefix=$2
shift 2

# shellcheck disable=SC2034 # read by the file under test
PROJECT_NAME=acme.sh
_info() { printf '[info] %s\n' "$*"; }
_err() { printf '[err] %s\n' "$*" >&2; return 1; }
_debug() { :; }
_exists() { command -v "$1" >/dev/null 2>&1; }
_readaccountconf_mutable() {
  sed -n "s/^SAVED_$1='\(.*\)'\$/\1/p" "$ACCOUNT_CONF_PATH" 2>/dev/null
}
_saveaccountconf_mutable() {
  { grep -v "^SAVED_$1=" "$ACCOUNT_CONF_PATH" 2>/dev/null; printf "SAVED_%s='%s'\n" "$1" "$2"; } >"$ACCOUNT_CONF_PATH.new"
  mv "$ACCOUNT_CONF_PATH.new" "$ACCOUNT_CONF_PATH"
}

call() (
  # shellcheck disable=SC1090 # the file under test
  . "$file"
  "${prefix}_$1" "$2" "$3"
)

added=0
failed=0
all=$#
while [ "$added" -lt "$all" ]; do
  call add "$1" "$2" || { failed=1; break; }
  set -- "$@" "$1" "$2"
  shift 2
  added=$((added + 2))
done
[ "$failed" = 1 ] || echo "the CA is asked"
# Those that were added stand at the end of the arguments now.
shift $((all - added))
while [ "$#" -gt 0 ]; do
  call rm "$1" "$2" || echo "rm failed" >&2
  shift 2
done
exit "$failed"

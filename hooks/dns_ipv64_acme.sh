#!/usr/bin/env sh
# shellcheck disable=SC2034 # the description below is read by programs with a user interface
dns_ipv64_acme_info='IPv64.net, by the program ipv64-acme
Site: ipv64.net
Docs: the page acme.sh of the documentation of ipv64-acme
Options:
 IPv64_Token API key of the account
OptionsAlt:
 IPV64_PROPAGATION_TIMEOUT Seconds to wait for the name servers, to be used with --dnssleep 1. Default: 0, acme.sh waits.
 IPV64_ACME Path of ipv64-acme. Default: found in PATH.
'

# For acme.sh, Proxmox and OpenWrt: only helpers are used that all three have. What stands behind the program has its own
# settings, by environment or configuration file; the key may be one of them.

dns_ipv64_acme_add() {
  _ipv64_acme_settings || return 1
  if _ipv64_acme_present "$1" "$2"; then
    _ipv64_acme_save
    return 0
  fi
  # None of the three asks for the removal of a record whose addition failed.
  _ipv64_acme cleanup "${1%.}." "$2" >/dev/null 2>&1
  _err "ipv64-acme could not add the TXT record $1, see above"
  return 1
}

dns_ipv64_acme_rm() {
  _ipv64_acme_settings || return 1
  _ipv64_acme cleanup "${1%.}." "$2" && return 0
  _err "ipv64-acme could not remove the TXT record $1, see above; ipv64-acme sweep finds what is left"
  return 1
}

# Where the list of names is fixed, this file takes the place of dns_ipv64.sh.
dns_ipv64_add() { dns_ipv64_acme_add "$@"; }
dns_ipv64_rm() { dns_ipv64_acme_rm "$@"; }

# What is not set now comes from an earlier run: renewals run without the user's environment.
_ipv64_acme_settings() {
  IPV64_ACME="${IPV64_ACME:-$(_readaccountconf_mutable IPV64_ACME)}"
  IPv64_Token="${IPv64_Token:-$(_readaccountconf_mutable IPv64_Token)}"
  IPV64_PROPAGATION_TIMEOUT="${IPV64_PROPAGATION_TIMEOUT:-$(_readaccountconf_mutable IPV64_PROPAGATION_TIMEOUT)}"
  _exists "${IPV64_ACME:-ipv64-acme}" && return 0
  _err "the program ${IPV64_ACME:-ipv64-acme} is not there: put ipv64-acme into PATH, or its path into IPV64_ACME"
  return 1
}

_ipv64_acme_save() {
  [ -z "$IPV64_ACME" ] || _saveaccountconf_mutable IPV64_ACME "$IPV64_ACME"
  [ -z "$IPv64_Token" ] || _saveaccountconf_mutable IPv64_Token "$IPv64_Token"
  [ -z "$IPV64_PROPAGATION_TIMEOUT" ] ||
    _saveaccountconf_mutable IPV64_PROPAGATION_TIMEOUT "$IPV64_PROPAGATION_TIMEOUT"
}

# acme.sh asks the CA after all additions. The others ask after each, where the program has to mind what the CA still has in
# its cache.
_ipv64_acme_present() {
  if [ "$PROJECT_NAME" = acme.sh ]; then
    # Anything else would change what the JSON says.
    case "$1$2" in
      *[!A-Za-z0-9._*-]*)
        _err "the name $1 or the value $2 has characters that no challenge has"
        return 1
        ;;
    esac
    printf '[{"name": "%s", "value": "%s"}]' "$1" "$2" | _ipv64_acme batch present
  else
    _ipv64_acme present "${1%.}." "$2"
  fi
}

# _ipv64_acme ARGUMENTS: with a final dot a name may be any, as an alias is; the key goes by environment, where no process list shows it.
_ipv64_acme() (
  IPV64_PROPAGATION_TIMEOUT="${IPV64_PROPAGATION_TIMEOUT:-0}"
  export IPv64_Token IPV64_PROPAGATION_TIMEOUT
  exec "${IPV64_ACME:-ipv64-acme}" "$@"
)

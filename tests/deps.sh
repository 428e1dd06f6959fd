#!/bin/sh
# Installs what building and testing need, on Debian and its derivatives;
# elsewhere prints the list and stops. Quiet when all is there.
set -eu
packages='gcc make pkg-config libssl-dev libxml2-dev libcurl4-openssl-dev liblmdb-dev libarchive-dev libjansson-dev
zlib1g-dev libseccomp-dev libmicrohttpd-dev libcmocka-dev openssl curl xmlsec1 libxmlsec1-dev libxml2-utils python3 python3-lxml'
missing=
if command -v dpkg-query >/dev/null 2>&1; then
	for p in $packages; do
		case $(dpkg-query -W -f '${Status}' "$p" 2>/dev/null || true) in
		'install ok installed') ;;
		*) missing="$missing $p" ;;
		esac
	done
	[ -n "$missing" ] || exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
	echo "This is not a Debian system. Install these (Debian names), then run the compiler by 'make all':" >&2
	echo "$packages" >&2
	exit 1
fi
sudo=
[ "$(id -u)" -eq 0 ] || sudo=sudo
if [ -n "$sudo" ] && ! command -v sudo >/dev/null 2>&1; then
	echo "There is no sudo. As root, once: apt-get install --no-install-recommends$missing" >&2
	exit 1
fi
echo "installing, this once:$missing" >&2
said=$(mktemp)
trap 'rm -f "$said"' EXIT
# shellcheck disable=SC2086 # both are lists
if ! { $sudo apt-get update -qq && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } >"$said" 2>&1; then
	cat "$said" >&2
	exit 1
fi

#!/usr/bin/env bash
# tools/install-deps on systems that this one is not: a copy reads an os-release of our own, and has a PATH with a few
# plain tools and our own apt-get, dpkg-query, uname, id and sudo. Nothing is installed.
# shellcheck disable=SC2016,SC2034,SC2154,SC2317  # scripts in quotes; set and used in program.sh; called through check
set -uo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
program=$root/tools/install-deps
. "$root/tests/examples/program.sh"

cp -r "$root/tools" .
sed -i "s|/etc/os-release|$work/os-release|" tools/install-deps
program=$work/tools/install-deps
mkdir bin
for name in bash cat cut dirname env grep mktemp rm sed sh tr; do ln -s "$(command -v "$name")" bin/; done
# tool NAME SCRIPT: puts a command on the PATH.
tool() { printf '#!/bin/sh\n%s\n' "$2" > "bin/$1" && chmod +x "bin/$1"; }
on_it() { rm -f calls && PATH=$work/bin run "$@"; }

# On Debian and what is made from it, apt-get is called; what it does is written down.
with_apt() {
  tool apt-get "echo \"\$*\" >> $work/calls"
  tool dpkg-query "cat $work/installed"
}
without_apt() { rm -f bin/apt-get bin/dpkg-query; }
: > installed
tool uname 'echo Linux'
tool id 'echo 0'

printf '%s\n' 'ID=debian' > os-release
for options in '' '--tests' '--dev' '--dev --tests' '--peer'; do
  # shellcheck disable=SC2086
  on_it --list $options
  cp output "list${options// /}"
  names_only() {
    [[ $status -eq 0 && ! -s errors && -s output && -z $(sort output | uniq -d) ]] && ! grep -vxE '[a-z0-9.+-]+' output
  }
  check "--list${options:+ $options} prints names, each once" names_only
done
check '--dev has ccache' grep -qx ccache list--dev
check '... and no debootstrap' test -z "$(grep debootstrap list--dev)"
check '--tests has cmake' grep -qx cmake list--tests
check '... and both have all' diff <(sort -u list--tests list--dev) <(sort list--dev--tests)

# lists SYSTEM FILE: exit status 1, and on stderr a line that names SYSTEM, one for each package of FILE that says what
# it is for, and a line on what to do.
lists() {
  [[ $status -eq 1 && ! -s output && ! -e calls && $(wc -L < errors) -le 120 ]] &&
    sed -n 1p errors | grep -qF "untried on $1. " &&
    sed -n '1d; $d; s/^  \([^ ]*\)  *[^ ].*/\1/; p' errors | diff - "$2" &&
    tail -n 1 errors | grep -qF 'docker build'
}
# untried SYSTEM: that it is, with an apt-get and without one.
untried() {
  with_apt && on_it
  check "$1 gets the list" lists "$1" list
  without_apt && on_it --dev
  check '... of --dev, too, without apt-get' lists "$1" list--dev
  on_it --check
  check '... from --check, too' lists "$1" list
}
printf '%s\n' 'NAME="Fedora Linux"' 'ID=fedora' 'PRETTY_NAME="Fedora Linux 41 (Container Image)"' > os-release
untried 'Fedora Linux 41 (Container Image)'
on_it --list
check '... and --list prints the same as on Debian' cmp output list
printf '%s\n' 'PRETTY_NAME="Rocky Linux 9.4 (Blue Onyx)"' 'ID="rocky"' 'ID_LIKE="rhel centos fedora"' > os-release
untried 'Rocky Linux 9.4 (Blue Onyx)'
printf '%s\n' 'NAME="Arch Linux"' 'PRETTY_NAME="Arch Linux"' 'ID=arch' 'BUILD_ID=rolling' > os-release
untried 'Arch Linux'
printf '%s\n' 'ID="opensuse-tumbleweed"' 'ID_LIKE="opensuse suse"' 'PRETTY_NAME="openSUSE Tumbleweed"' > os-release
untried 'openSUSE Tumbleweed'
printf '%s\n' 'ID=alpine' 'VERSION_ID=3.20.3' 'PRETTY_NAME="Alpine Linux v3.20"' > os-release
untried 'Alpine Linux v3.20'
printf '%s\n' 'ID=undebian' 'ID_LIKE="debianoid kubuntu"' > os-release
untried 'this system'
rm os-release
untried 'this system'
printf '%s\n' 'ID=debian' > os-release
tool uname 'echo Darwin'
untried 'macOS'
tool uname 'echo Linux'
printf '%s\n' 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"' 'ID=debian' > os-release
without_apt && on_it
check 'Debian without apt-get gets it' lists 'Debian GNU/Linux 13 (trixie) without apt-get' list

# Other scripts end there.
program=$work/tools/train on_it
check 'tools/train says that and nothing else' lists 'Debian GNU/Linux 13 (trixie) without apt-get' list
program=$work/tools/install-deps

# installs FILE: apt-get was called for the packages of FILE, and that is said in one line.
installs() {
  [[ $status -eq 0 && ! -s errors && $(< output) == "installing packages: $(paste -sd ' ' "$1")" ]] &&
    sed -n 1p calls | grep -qE ' update$' &&
    sed -n 2p calls | grep -qF " install -y --no-install-recommends $(paste -sd ' ' "$1")" &&
    [[ $(wc -l < calls) -eq 2 ]]
}
with_apt
while read -r name line; do
  printf '%b' "$line" > os-release
  on_it
  check "$name installs" installs list
done <<'END'
Debian PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n
Ubuntu ID=ubuntu\nID_LIKE=debian\n
Mint ID=linuxmint\nID_LIKE="ubuntu debian"\n
Pop ID=pop\nID_LIKE='ubuntu debian'
neon ID=neon\nID_LIKE="ubuntu debian"\n
something ID=x\nID_LIKE=ubuntu\n
Raspbian ID=raspbian\nID_LIKE=debian\n
END

sed 's/^/installed /' list > installed
on_it
silent() { [[ $status -eq 0 && ! -s output && ! -s errors && ! -e calls ]]; }
check 'nothing to do: silence' silent
on_it --check
check '... with --check, too' silent
sed 's/installed g++$/config-files g++/; /libfmt-dev/d' <(sed 's/^/installed /' list) > installed
printf '%s\n' g++ libfmt-dev > two
on_it
check 'only what is missing is installed' installs two
on_it --check
missing_two() { [[ $status -eq 1 && ! -e calls && $(< errors) == 'install-deps: missing: g++ libfmt-dev' ]]; }
check '--check names it and installs nothing' missing_two

tool id 'echo 1000'
on_it
no_sudo() { [[ $status -eq 1 && ! -e calls && $(< errors) == *'no sudo; as root, run: apt-get '*' libfmt-dev' ]]; }
check 'neither root nor sudo: says what to run' no_sudo
tool sudo 'exec "$@"'
tool true 'exit 0'
on_it
check 'with sudo it installs' installs two
tool sudo 'exit 1'
on_it
sudo_refused() { [[ $status -eq 1 && ! -e calls && $(< errors) == *'sudo did not let you in; as root, run: '* ]]; }
check 'a sudo that refuses is said' sudo_refused
tool id 'echo 0'
tool apt-get 'case $* in *install*) echo "E: no such package"; exit 100 ;; esac'
on_it
apt_failed() { [[ $status -eq 1 && $(< errors) == 'E: no such package'*'install-deps: apt-get failed'* ]]; }
check 'a failing apt-get is shown' apt_failed
rm -f "$(sed -n 's/.* and in //p' errors)"
on_it --lsit
wrong() { [[ $status -eq 2 && $(< errors) == 'install-deps: unknown option --lsit (see --help)' ]]; }
check 'an unknown option is refused' wrong
exit $((failures > 0))

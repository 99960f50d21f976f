#!/bin/sh
echo "@before@: this program is a command now: xtgrad @now@ (see xtgrad @now@ --help)" >&2
exit 2

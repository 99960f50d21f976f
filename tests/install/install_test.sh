#!/usr/bin/env bash
# The library as its users meet it: installed, found by pkg-config, and running the program of the README.
# shellcheck disable=SC2317  # functions are called by way of `check`
set -uo pipefail

if [[ ${1:-} == --help ]]; then
  echo 'usage: XTGRAD_BUILD=DIR tests/install/install_test.sh   (DIR: a finished build; normally run by tools/test)'
  exit 0
fi
(($# == 0)) || { echo "install_test: unknown argument $1 (see --help)" >&2; exit 2; }
: "${XTGRAD_BUILD:?set it to the build directory}"
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
cxx=${CXX:-g++}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1

failures=0
# check DESCRIPTION COMMAND...: one line on whether the command succeeds, and what it said if not.
check() {
  local description=$1
  shift
  if "$@" > said 2>&1; then
    echo "ok - $description"
  else
    echo "not ok - $description"
    sed 's/^/    /' said
    failures=$((failures + 1))
    return 1
  fi
}
stop() { exit $((failures > 0)); }

# block LANGUAGE FILE: the first block ```LANGUAGE of the README, from the program on.
block() {
  awk -v language="$1" '
    inside && /^```/ { if (wanted) exit; inside = 0; next }
    inside { if (wanted) print; next }
    /^```/ { inside = 1; if (/^```cpp/) seen = 1; wanted = seen && $0 ~ "^```" language "[ \t]*$" }
  ' "$root/README.md" > "$2"
  [[ -s $2 ]]
}

install_here() { meson install -C "$XTGRAD_BUILD" --no-rebuild --quiet --destdir "$tmp/destdir"; }

# Installed with DESTDIR, the .pc files still speak of the final prefix: point them at where the files are now.
relocate() {
  local pc
  for pc in xtgrad xtgrad64; do
    pc=$(find "$tmp/destdir" -name "$pc.pc" | grep .) || { echo "no .pc file installed"; return 1; }
    pkgconfig=$(dirname "$pc")
    sed -i "s|^prefix=\(.*\)|prefix=$tmp/destdir\1|" "$pc"
  done
  export PKG_CONFIG_PATH=$pkgconfig
  LD_LIBRARY_PATH=$(pkg-config --variable=libdir xtgrad)${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  export LD_LIBRARY_PATH
}

# compile OUTPUT FLAGS...: the README's program.
compile() { "$cxx" -std=c++17 program.cpp -o "$@"; }

# pkg PACKAGE [--cflags] [--libs]: its flags as an array.
pkg() {
  local package=$1
  shift
  read -ra flags < <(pkg-config "$@" "$package")
}

compile_for() { pkg "$1" --cflags --libs && compile "$1" "${flags[@]}"; }

fails_naming() {
  local text=$1
  shift
  if "$@" > errors 2>&1; then echo 'it linked'; return 1; fi
  grep -q -- "$text" errors || { cat errors; return 1; }
}

check 'README.md has a program' block cpp program.cpp || stop
check 'README.md shows what it prints' block text expected
check '... and examples/05_gradient_twice.cpp is that program' diff -u program.cpp "$root/examples/05_gradient_twice.cpp"
check 'the library installs' install_here || stop
check 'pkg-config files are installed' relocate || stop

if check 'the program builds against xtgrad (float)' compile_for xtgrad; then
  check '... runs' bash -c './xtgrad > printed' && check '... and prints what the README shows' diff -u expected printed
fi
if check 'the program builds against xtgrad64 (double)' compile_for xtgrad64; then
  check '... and runs' ./xtgrad64
fi

# Whoever mixes the two gets an error with a name in it that tells what is wrong, not wrong numbers.
pkg xtgrad --cflags --libs
check 'code for double does not link with the float library' \
  fails_naming 'undefined reference to .xtg64::' compile wrong -DXTGRAD_DOUBLE -Dxtg=xtg64 "${flags[@]}"
check 'half of the flags for double is refused, and the error names both' \
  fails_naming 'DXTGRAD_DOUBLE and -Dxtg=xtg64 go together' compile wrong -DXTGRAD_DOUBLE "${flags[@]}"
check '... the other half, too' \
  fails_naming 'DXTGRAD_DOUBLE and -Dxtg=xtg64 go together' compile wrong -Dxtg=xtg64 "${flags[@]}"
pkg xtgrad64 --cflags --libs
check 'code for float does not link with the double library' \
  fails_naming 'undefined reference to .xtg::' compile wrong "${flags[@]}" -UXTGRAD_DOUBLE -Uxtg

# Both in one program, in both orders of linking: a function of each, which must compute in its own type.
for scalar in float double; do
  cat > "$scalar.cpp" <<'END'
#include <xtgrad.hpp>
using namespace xtg;
namespace {
double tenth() {
  Variable x(tensor({1}, {1}), true);
  (x / Scalar(10)).backward();
  return static_cast<double>(x.grad()(0));
}
}  // namespace
END
  echo "double in_$scalar() { return tenth(); }" >> "$scalar.cpp"
done
cat > both.cpp <<'END'
double in_float();
double in_double();
int main() { return in_double() == 0.1 && in_float() == static_cast<double>(0.1f) ? 0 : 1; }
END
both_run() {
  local parts=(float.o double.o both.cpp)
  pkg xtgrad --cflags && "$cxx" -std=c++17 "${flags[@]}" -c float.cpp || return 1
  pkg xtgrad64 --cflags && "$cxx" -std=c++17 "${flags[@]}" -c double.cpp || return 1
  pkg "$1" --libs && local first=("${flags[@]}")
  pkg "$2" --libs && "$cxx" -std=c++17 "${parts[@]}" "${first[@]}" "${flags[@]}" -o both && ./both
}
check 'both libraries serve one program' both_run xtgrad xtgrad64
check '... in the other order of linking, too' both_run xtgrad64 xtgrad

# A program's own headers are not taken for ours, and ours do not need the folder that they are in.
mkdir -p own/tensor own/nn
echo '#define OWN_TENSOR 1' > own/tensor/tensor.hpp
echo '#define OWN_LINEAR 1' > own/nn/linear.hpp
cat > own.cpp <<'END'
#include <xtgrad.hpp>
#include "nn/linear.hpp"
#include "tensor/tensor.hpp"
static_assert(OWN_TENSOR + OWN_LINEAR == 2, "");
int main() { return xtg::ones({2}).size() == 2 ? 0 : 1; }
END
own_headers() { pkg xtgrad --cflags --libs && "$cxx" -std=c++17 own.cpp -Iown "${flags[@]}" -o own/program && own/program; }
check "a program's own tensor/tensor.hpp and nn/linear.hpp are its own" own_headers
for standard in 20 23; do
  newer() { pkg xtgrad --cflags && "$cxx" -std=c++"$standard" -Wall -Wextra -Werror -fsyntax-only program.cpp "${flags[@]}"; }
  check "the headers compile in C++$standard" newer
done

# As CMake projects find it: the shared libraries, and the static ones.
check 'README.md says what CMake wants' block cmake target.cmake
cat > CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.16)
project(user CXX)
add_executable(program program.cpp)
include(target.cmake)
add_executable(in_double program.cpp)
target_link_libraries(in_double xtgrad::xtgrad64)
END
prefix=$(cd "$pkgconfig/../.." && pwd)
by_cmake() {
  cmake -G Ninja -S . -B "$1" -DCMAKE_PREFIX_PATH="$prefix" "${@:2}" && cmake --build "$1" -j 2 && "$1/in_double" &&
    "$1/program" > printed && diff -u expected printed
}
needs_library() { LC_ALL=C ldd "$1/program" > needed && grep -q 'libxtgrad\.so' needed; }
needs_no_library() { ! needs_library "$1"; }
if ! command -v cmake > /dev/null; then
  echo 'ok - CMake # SKIP cmake is not installed'
else
  check 'CMake finds it, and builds and runs the program in float and in double' by_cmake cmake-shared &&
    check '... with the shared libraries' needs_library cmake-shared
  if [[ ! -f $XTGRAD_BUILD/libxtgrad.a ]]; then
    echo 'ok - CMake, static # SKIP this build directory has no static libraries'
  else
    check '... and the same with the static ones' by_cmake cmake-static -Dxtgrad_USE_STATIC_LIBS=ON &&
      check '... which the program then holds' needs_no_library cmake-static
  fi
  mkdir newer-version && cp program.cpp newer-version
  sed 's/^include(.*/find_package(xtgrad 9.9 REQUIRED)/' CMakeLists.txt > newer-version/CMakeLists.txt
  check 'another version is refused' fails_naming '9.9' cmake -G Ninja -S newer-version -B newer-build -DCMAKE_PREFIX_PATH="$prefix"
fi

# As a Meson subproject: the program is compiled, the library's own files are left out.
mkdir -p user/subprojects
ln -s "$root" user/subprojects/xtgrad
cp program.cpp own.cpp user
cp -r own user
check '... and what Meson wants' block meson target.meson
cat - target.meson > user/meson.build <<'END'
project('user', 'cpp', default_options: ['cpp_std=c++17'])
executable('more', 'own.cpp', include_directories: 'own',
  dependencies: dependency('xtgrad', fallback: ['xtgrad', 'xtgrad_dep']))
executable('in_double', 'program.cpp', dependencies: dependency('xtgrad64', fallback: ['xtgrad', 'xtgrad64_dep']))
END
by_meson() {
  PKG_CONFIG_PATH='' meson setup user/build user &&
    ninja -C user/build program.p/program.cpp.o more.p/own.cpp.o in_double.p/program.cpp.o
}
check 'it is a Meson subproject, and its headers stay apart there, too' by_meson
stop

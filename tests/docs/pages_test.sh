#!/usr/bin/env bash
# The pages are true: tools/docs finds nothing stale on them. And it would find it: on a small page of our own, faults are
# planted one at a time.
# shellcheck disable=SC2016,SC2034,SC2154,SC2317  # functions are called through check; strings for eval
set -uo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "${XTGRAD_BUILD:-$root/build}" && pwd)
program=$root/tools/docs
. "$root/tests/examples/program.sh"

export XTGRAD_BUILD=$build
run --check
check 'nothing is stale or wrong on any page' test "$status" -eq 0

# A page with one of everything, and what it is made from, in a directory of its own.
write_tree() {
  mkdir -p tree/docs/more tree/examples/course tree/nn tree/build/examples/walkthroughs
  printf '%s\n' '# Readme' '[page](docs/01-page.md#two-words)' > tree/README.md
  printf '%s\n' 'before' '  // region: sum' '  int a = 1;' '    a += 2;' '  // end region' 'after' > tree/examples/sum.cpp
  cat > tree/build/examples/walkthroughs/walk_01 <<'END_OF_PROGRAM'
#!/bin/sh
case $1 in
  --svg) echo '<svg width="1000" viewBox="0 0 1000 9"><tspan font-size="14">label</tspan><path d="1.00,2.00"/></svg>' ;;
  --dot) echo 'digraph { a -> b }' ;;
  *) echo "the $1 is 2.50, or 31 %" ;;
esac
END_OF_PROGRAM
  chmod +x tree/build/examples/walkthroughs/walk_01
  cat > tree/xtgrad.hpp <<'END_OF_HEADER'
namespace xtg::nn {
// We once had box_volume here.
int box_area(int width, int height);
class Box {
  int width = 0;
  void grow(int by);
};
}
END_OF_HEADER
  cat > tree/nn/box.cpp <<'END_OF_SOURCE'
#include "xtgrad.hpp"

namespace xtg::nn {

int box_area(int width, int height);

int unrelated() { return box_area(1, 2); }  // calls it

/// The area of a box,
/// which is never negative.
template <class Tag = void>
int box_area(int width,
             int height) {
  if (width < 0) return 0;
  const int area = width * height;
  if (area < 0) throw "box_area: expected_size";
  return area;
}

void Box::grow(int by) {
  width += by;
}

}  // namespace xtg::nn
END_OF_SOURCE
  cat > tree/docs/more/notes.md <<'END_OF_PAGE'
# Notes, of no number

<!-- code: nn/box.cpp box_area() with comment -->
```cpp
```
<!-- code: nn/box.cpp Box::grow() -->
```cpp
```

<!-- in: nn/box.cpp -->
```cpp
    if (width < 0) return 0;
    …
    return area;
```
<!-- compiled: extern int width; -->
```cpp
const int area = box_area(width, 2);
```
Call `box_area(width, 2)`, or `nn::box_area`; see `Box`, `Box::grow`, `box.grow(2)`, and `std::max`
in `nn/box.cpp` or `nn/`. Others have `other_area`. <!-- elsewhere: other_area -->
END_OF_PAGE
  printf '%s\n' '# Course' '<!-- in: nn/box.cpp -->' '```cpp' '…' 'return area;' '...' '```' > tree/examples/course/README.md
  cat > tree/docs/01-page.md <<'END_OF_PAGE'
# Page

## Two *words*

<!-- code: examples/sum.cpp sum -->
```cpp
```
<!-- run: walk_01 result -->
```text
```
<!-- figure: walk_01 --svg curve -->
![a curve](figures/01-curve.svg)

It is 2.5, or 31 %. The step is 1e-5. See [above](#two-words), [the readme](../README.md).
Or 7.5. <!-- given: 7.5 -->
<!-- given: 1e-5 -->
<!-- shown: a sketch -->
```text
sketch
```
END_OF_PAGE
}
docs() { XTGRAD_BUILD=tree/build "$program" --root tree "$@" > output 2> errors; }
page=tree/docs/01-page.md notes=tree/docs/more/notes.md course=tree/examples/course/README.md

write_tree
check 'a page is filled in' docs
check 'with the code, without its indentation' grep -qxF '  a += 2;' "$page"
check 'with the output' grep -qxF 'the result is 2.50, or 31 %' "$page"
check 'with a function, and the comment above it' grep -qxF '/// The area of a box,' "$notes"
check 'to its last line' eval 'grep -qxF "  return area;" "$notes" && ! grep -q "namespace\|unrelated" "$notes"'
check 'with a member function' grep -qxF '  width += by;' "$notes"
check 'with the figure' grep -q label tree/docs/figures/01-curve.svg
check 'and then is not stale' docs --check

cp -r tree good
fresh_tree() { rm -rf tree; cp -r good tree; }
# planted NAME MESSAGE COMMAND...: after the command, --check fails with the message, and leaves the page alone.
planted() {
  local name=$1 message=$2
  shift 2
  fresh_tree
  "$@"
  cp -r tree before
  check "$name is found" eval '! docs --check && grep -qF -- "$message" output && diff -r before tree > /dev/null'
  rm -rf before
}
planted 'stale code' '+  a += 3;' sed -i 's/a += 2/a += 3/' tree/examples/sum.cpp
planted 'a lost region' 'has no region sum' sed -i 's/region: sum/region: total/' tree/examples/sum.cpp
planted 'a region without an end' 'does not end' sed -i '/end region/d' tree/examples/sum.cpp
planted 'stale output' '+the result is 2.75' sed -i 's/2\.50/2.75/' tree/build/examples/walkthroughs/walk_01
planted 'an edited output' '-the result is 2.75' sed -i 's/is 2\.50/is 2.75/' "$page"
planted 'a program that fails' 'exit status 3' sed -i '2i exit 3' tree/build/examples/walkthroughs/walk_01
planted 'a dead link' 'dead link: ../READ.md' sed -i 's/README.md)/READ.md)/' "$page"
planted 'a dead anchor' 'dead anchor: #three-words' sed -i 's/#two-words/#three-words/' "$page"
planted 'a dead anchor on another page' 'dead anchor: docs/01-page.md#two-words' sed -i 's/Two/Three/' "$page"
planted 'an uncovered number' '2.6 is in no output' sed -i 's/is 2\.5,/is 2.6,/' "$page"
planted 'an uncovered percentage' '32 is in no output' sed -i 's/or 31 %\. /or 32 %. /' "$page"
planted 'a number no longer given' '1e-5 is in no output' sed -i '/^<!-- given/d' "$page"
planted 'one given at the end of a line, and no longer' '7.5 is in no output' sed -i 's/<!-- given: 7.5 -->//' "$page"
planted 'a stale figure' 'stale figure' sed -i 's/label/lable/' tree/build/examples/walkthroughs/walk_01
planted 'a moved curve' 'stale figure' sed -i 's/1\.00,/1.20,/' tree/build/examples/walkthroughs/walk_01
planted 'a missing figure' 'stale figure' rm tree/docs/figures/01-curve.svg
picture=tree/docs/figures/01-curve.svg
planted 'text too small' 'text of 10.0 pixels on a page 830 pixels wide' sed -i 's/font-size="14"/font-size="12"/' $picture
planted '... in points' 'text of 9.3 pixels' sed -i 's/width="1000"/width="500pt"/' $picture
planted '... in a style' 'text of 8.3 pixels' sed -i 's/<path/<path style="font-size:10px"/' $picture
planted 'a picture in variables' 'var() is black' sed -i 's/<path/<path fill="var(--ink)"/' $picture
planted 'a picture of no width' 'expected an <svg> with a width' sed -i 's/<svg width="1000"/<svg/' $picture
planted 'a block without a source' 'a block without a source' sed -i '/shown/d' "$page"
planted 'a directive without a block' 'no code block' sed -i '/<!-- run/a \\' "$page"

# Functions by their names.
planted 'a stale function' '+  width -= by;' sed -i 's/width += by/width -= by/' tree/nn/box.cpp
planted 'a stale comment above a function' '+/// The size of a box,' sed -i 's/The area of/The size of/' tree/nn/box.cpp
planted 'a function gone from its file' 'nn/box.cpp defines no function box_area()' \
  sed -i '/^int box_area(int width,$/s/box_area/area_of/' tree/nn/box.cpp
planted 'a function that is only declared' 'defines no function box_area()' sed -i '/^int box_area(int width,$/,/^}/d' tree/nn/box.cpp
planted 'a function that is there twice' 'defines box_area() 2 times' \
  sed -i '$a int box_area(double width) {\n  return 0;\n}' tree/nn/box.cpp

# C++ blocks, whatever the page.
planted 'a block that is not in its file' 'notes.md:23: in: nn/box.cpp does not hold this block' sed -i 's/    return area;/    return 0;/' "$notes"
planted 'a block that has left its file' 'README.md:2: in: nn/box.cpp does not hold this block' sed -i 's/return area;/return 2;/' tree/nn/box.cpp
planted 'a block in another order' 'does not hold this block' sed -i '/^    if/{h;d};/^    return area/G' "$notes"
planted 'a block with all of it left out' 'does not hold this block' sed -i 's/^return area;/…/' "$course"
planted 'a part of a line' 'does not hold this block' sed -i 's/^return area;/return ar/' "$course"
planted 'a block of a file that is gone' 'in: no file nn/crate.cpp' sed -i 's|in: nn/box.cpp|in: nn/crate.cpp|' "$course"
planted 'C++ without a source' 'README.md:2: C++ without a source' sed -i '/<!-- in/d' "$course"
planted '... called c++' 'C++ without a source' sed -i '/<!-- in/d; s/```cpp/```c++/' "$course"
planted '... on the readme' 'README.md:3: C++ without a source' sed -i '$a ```cpp\nint a;\n```' tree/README.md
planted '... and only shown' 'C++ without a source' sed -i 's/<!-- in.*/<!-- shown: a sketch -->/' "$course"
planted 'a block without a language' 'a block without a language' sed -i 's/```cpp/```/; /<!-- in/d' "$course"
planted 'an indented block' 'at the start of a line' sed -i 's/^```/  ```/' "$course"
planted 'a snippet that does not compile' 'docs/more/notes.md:31: does not compile' \
  sed -i 's/^const int area = box_area/const int area = box_size/' "$notes"
planted 'a snippet that no longer compiles' 'docs/more/notes.md:31: does not compile' \
  sed -i 's/^int box_area(int width, int height)/int box_area(int width)/' tree/xtgrad.hpp
planted 'a snippet whose addition does not compile' 'docs/more/notes.md:29: does not compile' \
  sed -i 's/extern int width/extern Width width/' "$notes"

# Names in backticks.
planted 'a function that does not exist' 'notes.md:33: no box_size in the sources' sed -i 's/`box_area(/`box_size(/' "$notes"
planted 'a method that does not exist' 'no shrink in the sources' sed -i 's/`box.grow(/`box.shrink(/' "$notes"
planted 'a function that is gone' 'notes.md:33: no nn::box_area in the sources' \
  eval "sed -i 's/box_area/area_of/' tree/nn/box.cpp tree/xtgrad.hpp"
planted 'a function of another namespace' 'no xtg::box_area in the sources' sed -i 's/`nn::box_area`/`xtg::box_area`/' "$notes"
planted 'a member of another class' 'no Crate::grow in the sources' sed -i 's/`Box::grow`/`Crate::grow`/' "$notes"
planted 'a member that its class has not' 'no Box::shrink in the sources' sed -i 's/`Box::grow`/`Box::shrink`/' "$notes"
planted 'a type that does not exist' 'no Crate in the sources' sed -i 's/`Box`/`Crate`/' "$notes"
planted 'a name that only a comment has' 'no box_volume in the sources' sed -i 's/`box_area(/`box_volume(/' "$notes"
planted 'a name that only a message has' 'no expected_size in the sources' sed -i 's/`Box`/`expected_size`/' "$notes"
planted 'a name over two lines' 'notes.md:33: no box_size in the sources' sed -i 's/`Box`/`box_size\n--all`/' "$notes"
planted 'a name of elsewhere that nobody vouches for' 'no other_area in the sources' sed -i 's/<!-- elsewhere.*//' "$notes"
planted 'a name of elsewhere that is not on the page' 'other_area is not on this page' sed -i 's/`other_area`/it/' "$notes"
planted 'a file that is gone' 'no nn/crate.cpp in the sources' sed -i 's|`nn/box.cpp`|`nn/crate.cpp`|' "$notes"
planted 'a folder that is gone' 'no nn/norm/ in the sources' sed -i 's|`nn/`|`nn/norm/`|' "$notes"

if type dot > /dev/null 2>&1; then
  fresh_tree
  sed -i 's/--svg curve -->/--dot graph | dot -->/' "$page"
  check 'a graph is drawn' docs
  check 'and then is not stale' docs --check
  sed -i 's/a -> b/a -> c/' tree/build/examples/walkthroughs/walk_01
  check 'a stale graph is found' eval '! docs --check && grep -qF "the graph has changed" output || grep -qF "stale figure" output'
else
  echo 'ok - graphs # SKIP dot is not installed'
fi

exit $((failures > 0))

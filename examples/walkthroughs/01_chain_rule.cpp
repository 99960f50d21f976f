// Page docs/01-chain-rule.md.
#include <cstdio>
#include <xtgrad.hpp>
#include "examples/walkthroughs/walkthrough.hpp"

int main(int argc, char** argv) { return walk(argc, argv, {}); }

#include "autograd/ops/indexing.hpp"

#include <doctest/doctest.h>

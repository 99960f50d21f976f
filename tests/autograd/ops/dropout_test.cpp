#include "autograd/ops/dropout.hpp"

#include <doctest/doctest.h>

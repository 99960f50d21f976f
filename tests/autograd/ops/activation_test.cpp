#include "autograd/ops/activation.hpp"

#include <doctest/doctest.h>

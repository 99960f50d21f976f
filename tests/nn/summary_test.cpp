#include "nn/summary.hpp"

#include <doctest/doctest.h>

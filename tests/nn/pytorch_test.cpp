#include "nn/pytorch.hpp"

#include <doctest/doctest.h>

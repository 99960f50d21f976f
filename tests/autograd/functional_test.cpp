#include "autograd/functional.hpp"

#include <doctest/doctest.h>

#include "autograd/graph.hpp"

#include <doctest/doctest.h>

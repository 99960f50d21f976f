#include "tensor/indexing.hpp"

#include <doctest/doctest.h>

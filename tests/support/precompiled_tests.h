// precompiled.h, and more for the unit tests.
#include <doctest/doctest.h>

#include "precompiled.h"

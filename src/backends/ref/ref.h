// The reference backend: one obviously right kernel per op, serial, on the whole vocabulary.
#pragma once

#include "backends/backend.h"

namespace ingot {

const Backend& ref_backend();

}  // namespace ingot

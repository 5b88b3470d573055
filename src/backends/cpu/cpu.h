// The CPU backend: fast kernels for the ops that cost time, chosen for the instruction set of this machine.
//
// cpu_ops.def lists one line per op; ops/<op>.cc decides support and prepares (parses attributes, packs weights);
// kernels/<family>/ holds the code per ISA, without graph types. What is not listed runs on the reference backend.
#pragma once

#include "backends/backend.h"

namespace ingot {

const Backend& cpu_backend();

}  // namespace ingot

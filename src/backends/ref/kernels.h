// Declares ref_<Id> for every op of ops.def. Each is defined in <op>.cc, serial, 60 lines at most, and handles
// every element type its op allows; what no kernel here computes is `ref_unreachable` (views, control flow).
#pragma once

#include "backends/backend.h"

namespace ingot {

#define OP(id, name, in_min, in_max, out_min, out_max, infer, flags) void ref_##id(KernelContext&);
#include "ir/ops.def"
#undef OP

}  // namespace ingot

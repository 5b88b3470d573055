// The vector passes for baseline. See dense_math.inc.
#include <bit>
#include <cstring>
#include <limits>

#include "llm/sampling/dense_kernels.h"
#include "llm/sampling/dense_math.h"
#include "llm/sampling/exp_series.h"

#define INGOT_DENSE_TABLE kDenseBaseline
#include "llm/sampling/dense_math.inc"

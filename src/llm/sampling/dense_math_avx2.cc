// The vector passes for avx2. See dense_math.inc.
#include <bit>
#include <cstring>
#include <limits>

#include "llm/sampling/dense_kernels.h"
#include "llm/sampling/dense_math.h"
#include "llm/sampling/exp_series.h"

#define INGOT_DENSE_TABLE kDenseAvx2
#include "llm/sampling/dense_math.inc"

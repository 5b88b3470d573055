// Control flow is run by the executor, never by a kernel.
#include "backends/ref/kernels.h"

namespace ingot {

void ref_If(KernelContext&) { INGOT_CHECK(false); }

}  // namespace ingot

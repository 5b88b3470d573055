// Control flow is run by the executor, never by a kernel.
#include "backends/ref/kernels.h"

namespace ingot {

void ref_If(KernelContext&) { INGOT_CHECK(false); }
void ref_Loop(KernelContext&) { INGOT_CHECK(false); }
void ref_Scan(KernelContext&) { INGOT_CHECK(false); }
void ref_SequenceMap(KernelContext&) { INGOT_CHECK(false); }

}  // namespace ingot

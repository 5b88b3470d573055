// Stands in for the kernels of text/ and image/ where no foreign library is built: each refuses to run.
#include "backends/ref/dispatch.h"
#include "backends/ref/kernels.h"
#include "backends/ref/prepare.h"

namespace ingot {
namespace {

void refuse(KernelContext& c) {
  c.fail(Status(Code::kUnimplemented,
                fmt::format("[ref] {} '{}': this build has no library for it", op_name(c.node.op), c.node.name)));
}

}  // namespace

void ref_ImageDecoder(KernelContext& c) { refuse(c); }
void ref_Tokenizer(KernelContext& c) { refuse(c); }
void ref_StringConcat(KernelContext& c) { refuse(c); }
void ref_StringSplit(KernelContext& c) { refuse(c); }
void ref_StringNormalizer(KernelContext& c) { refuse(c); }
void ref_RegexFullMatch(KernelContext& c) { refuse(c); }
Result<RefState> prepare_tokenizer(const NodeView&) { return RefState{}; }
Result<RefState> prepare_regex(const NodeView&) { return RefState{}; }

}  // namespace ingot

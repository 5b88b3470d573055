#include "backends/ref/ref.h"

#include "backends/ref/kernels.h"
#include "backends/ref/prepare.h"

namespace ingot {
namespace {

constexpr KernelFn kKernels[] = {
#define OP(id, name, in_min, in_max, out_min, out_max, infer, flags) ref_##id,
#include "ir/ops.def"
#undef OP
};

class RefBackend final : public Backend {
 public:
  std::string_view name() const override { return "ref"; }

  Support supports(const NodeView& v) const override {
    if (op_schema(v.node.op).flags & (kOpView | kOpControl)) return Support::no("run by the executor itself");
    return Support::yes();
  }

  Result<Kernel> prepare(const NodeView& v, ThreadPool&) const override {
    Kernel kernel{.name = fmt::format("ref_{}", op_name(v.node.op)), .run = kKernels[static_cast<size_t>(v.node.op)]};
    for (const RefPrepared& p : kPrepared) {
      if (p.op != v.node.op) continue;
      RefState made = INGOT_TRY(p.make(v));
      kernel.prepared = std::move(made.state);
      kernel.work = made.work;
    }
    return kernel;
  }
};

}  // namespace

const Backend& ref_backend() {
  static const RefBackend backend;
  return backend;
}

}  // namespace ingot

#include "backends/cpu/cpu.h"

namespace ingot {

#define CPU_OP(id, suffix)                          \
  Support cpu_supports_##suffix(const NodeView& v); \
  Result<Kernel> cpu_prepare_##suffix(const NodeView& v, ThreadPool& pool);
#include "backends/cpu/cpu_ops.def"
#undef CPU_OP

namespace {

struct CpuOp {
  Op op;
  Support (*supports)(const NodeView&);
  Result<Kernel> (*prepare)(const NodeView&, ThreadPool&);
};
constexpr CpuOp kOps[] = {
#define CPU_OP(id, suffix) {Op::k##id, cpu_supports_##suffix, cpu_prepare_##suffix},
#include "backends/cpu/cpu_ops.def"
#undef CPU_OP
};

class CpuBackend final : public Backend {
 public:
  std::string_view name() const override { return "cpu"; }

  Support supports(const NodeView& v) const override {
    Support last = Support::no("no kernel for this op");
    for (const CpuOp& op : kOps)
      if (op.op == v.node.op && (last = op.supports(v)).ok) return last;
    return last;
  }

  Result<Kernel> prepare(const NodeView& v, ThreadPool& pool) const override {
    for (const CpuOp& op : kOps)
      if (op.op == v.node.op && op.supports(v).ok) return op.prepare(v, pool);
    return error(Code::kInternal, "[cpu] {} was not supported", op_name(v.node.op));
  }
};

}  // namespace

const Backend& cpu_backend() {
  static const CpuBackend backend;
  return backend;
}

}  // namespace ingot

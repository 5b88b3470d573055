#include "ir/op.h"

#include <unordered_map>

#include "ir/infer.h"

namespace ingot {
namespace {

constexpr OpSchema kSchemas[] = {
#define OP(id, name, in_min, in_max, out_min, out_max, infer, flags) \
  {name, in_min, in_max, out_min, out_max, infer, flags},
#include "ir/ops.def"
#undef OP
};

}  // namespace

const OpSchema& op_schema(Op op) { return kSchemas[static_cast<size_t>(op)]; }
int num_ops() { return static_cast<int>(std::size(kSchemas)); }

std::optional<Op> op_from_name(std::string_view name) {
  static const auto index = [] {
    std::unordered_map<std::string_view, Op> m;
    for (size_t i = 0; i < std::size(kSchemas); ++i) m.emplace(kSchemas[i].name, static_cast<Op>(i));
    return m;
  }();
  const auto it = index.find(name);
  if (it == index.end()) return std::nullopt;
  return it->second;
}

}  // namespace ingot

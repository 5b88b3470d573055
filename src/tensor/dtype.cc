#include "tensor/dtype.h"

namespace ingot {
namespace {

constexpr DTypeInfo kInfos[] = {
#define DTYPE(id, name, block, bytes) {name, block, bytes},
#include "tensor/dtypes.def"
#undef DTYPE
};
static_assert(sizeof(std::string) == 32, "the size of DType::kString's elements");

}  // namespace

const DTypeInfo& dtype_info(DType type) { return kInfos[static_cast<size_t>(type)]; }

std::optional<DType> dtype_from_name(std::string_view name) {
  for (size_t i = 0; i < std::size(kInfos); ++i)
    if (kInfos[i].name == name) return static_cast<DType>(i);
  return std::nullopt;
}

}  // namespace ingot

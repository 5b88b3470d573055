#include "capi/handles.h"

#include <mutex>
#include <utility>

namespace ingot::capi {
namespace {

constexpr int kGenerationBits = 24, kGenerationShift = 32, kKindShift = 56;
constexpr uint32_t kGenerationMask = (1u << kGenerationBits) - 1;
static_assert(sizeof(void*) == 8, "a handle needs 64 bits");

}  // namespace

HandleTable& HandleTable::global() {
  static auto* table = new HandleTable;
  return *table;
}

// The index counts from 1, so that no handle is null.
void* HandleTable::pack(Parts p) {
  return reinterpret_cast<void*>(uint64_t{static_cast<uint8_t>(p.kind)} << kKindShift |
                                 uint64_t{p.generation} << kGenerationShift | (uint64_t{p.index} + 1));
}

HandleTable::Parts HandleTable::unpack(const void* handle) {
  const auto bits = reinterpret_cast<uint64_t>(handle);
  return {static_cast<uint32_t>(bits) - 1, static_cast<uint32_t>(bits >> kGenerationShift) & kGenerationMask,
          static_cast<Kind>(bits >> kKindShift)};
}

bool HandleTable::holds(Kind kind, Parts p) const {
  if (p.kind != kind || p.index >= slots_.size()) return false;
  const Slot& slot = slots_[p.index];
  return slot.kind == kind && slot.generation == p.generation && slot.object;
}

void* HandleTable::add(Kind kind, std::shared_ptr<void> object) {
  const std::unique_lock lock(mutex_);
  if (free_.empty()) {
    slots_.emplace_back();
    if (free_.capacity() < slots_.size()) free_.reserve(2 * slots_.size());  // remove() must not fail
    free_.push_back(static_cast<uint32_t>(slots_.size()) - 1);
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  Slot& slot = slots_[index];
  slot.object = std::move(object);
  slot.kind = kind;
  slot.generation = (slot.generation + 1) & kGenerationMask;
  return pack({index, slot.generation, kind});
}

std::shared_ptr<void> HandleTable::find(Kind kind, const void* handle) const {
  const std::shared_lock lock(mutex_);
  const Parts parts = unpack(handle);
  return holds(kind, parts) ? slots_[parts.index].object : nullptr;
}

std::shared_ptr<void> HandleTable::remove(Kind kind, const void* handle) {
  const std::unique_lock lock(mutex_);
  const Parts parts = unpack(handle);
  if (!holds(kind, parts)) return nullptr;
  // A slot whose generations are used up is given up: no old handle ever names a new object.
  if (parts.generation != kGenerationMask) free_.push_back(parts.index);
  return std::exchange(slots_[parts.index].object, nullptr);  // destroyed by the caller, after the lock
}

}  // namespace ingot::capi

// Handles: what the C interface gives out in place of pointers, and the table behind them.
//
// A handle holds a slot of the table, the slot's generation and the kind of object, and no address: one that was
// released, or is of another kind, is found out and not followed. Looking one up takes a reference, so an object that
// another thread releases lives until the call that uses it has ended. Thread-safety: every member from any thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <shared_mutex>
#include <vector>

namespace ingot::capi {

enum class Kind : uint8_t {
  kStatus = 1,
  kText,
  kOptions,
  kValue,
  kSession,
  kRunOptions,
  kBinding,
  kLlm,
  kRequest,
  kGeneration
};

class HandleTable {
 public:
  // The process's table; it is never destroyed, since threads may outlive main().
  static HandleTable& global();

  // Never null. May throw std::bad_alloc.
  void* add(Kind kind, std::shared_ptr<void> object);
  // Null if the handle is none of this kind, or was released.
  std::shared_ptr<void> find(Kind kind, const void* handle) const;
  // The same, and forgets it: the handle is stale from now on.
  std::shared_ptr<void> remove(Kind kind, const void* handle);

 private:
  struct Slot {
    std::shared_ptr<void> object;
    uint32_t generation = 0;
    Kind kind = Kind::kStatus;
  };
  struct Parts {
    uint32_t index, generation;
    Kind kind;
  };
  static void* pack(Parts parts);
  static Parts unpack(const void* handle);
  bool holds(Kind kind, Parts parts) const;

  mutable std::shared_mutex mutex_;
  std::deque<Slot> slots_;
  std::vector<uint32_t> free_;
};

}  // namespace ingot::capi

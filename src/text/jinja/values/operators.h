// Python's operators over values: truth, equality, order, arithmetic, membership, iteration, subscripts.
//
// Where Python raises (TypeError, ZeroDivisionError, ...) these throw TemplateError. Integers are 64
// bits wide: a result beyond that is an error, not a wrapped number. Stateless.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "text/jinja/values/value.h"

namespace ingot::jinja {

bool truth(Heap& heap, const Value& value);
bool equal(const Value& a, const Value& b);
size_t hash(const Value& value);
size_t hash(std::string_view text);
void require_hashable(const Value& value);
// Python's a < b; fails for values that have no order.
bool less(Heap& heap, const Value& a, const Value& b);
bool less_equal(Heap& heap, const Value& a, const Value& b);
bool contains(Heap& heap, const Value& container, const Value& item);
std::optional<int64_t> try_length(Heap& heap, const Value& value);
int64_t length(Heap& heap, const Value& value);

enum class Arithmetic : uint8_t { kAdd, kSub, kMul, kDiv, kFloorDiv, kMod, kPow };
Value arithmetic(Heap& heap, Arithmetic op, const Value& a, const Value& b);
Value negate(const Value& value);
Value plus(const Value& value);

// obj.name: the attribute, then the item.   obj[key]: the item, then the attribute.
Value get_attribute(Heap& heap, const Value& object, const Value& name);
Value get_item(Heap& heap, const Value& object, const Value& key);
// Missing bounds are absent. Fails as Python does for what has no slices.
Value slice(Heap& heap, const Value& object, const Value& start, const Value& stop, const Value& step);

// Iterates over anything iterable; keeps what it iterates over alive.
class Cursor {
 public:
  explicit Cursor(const Value& value);  // fails if value is not iterable
  bool next(Heap& heap, Value& item);

 private:
  Value value_;
  size_t at_ = 0;
};
bool is_iterable(const Value& value);
std::vector<Value> to_vector(Heap& heap, const Value& value);

}  // namespace ingot::jinja

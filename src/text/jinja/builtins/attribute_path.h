// The "attribute" argument of filters: "address.city", "0.name", 3, or none for the item itself.
#pragma once

#include <vector>

#include "text/jinja/values/value.h"

namespace ingot::jinja {

class AttributePath {
 public:
  AttributePath() = default;  // the item itself
  AttributePath(Heap& heap, const Value& attribute, Value otherwise = {});
  Value of(Heap& heap, const Value& item) const;

 private:
  std::vector<Value> parts_;
  Value otherwise_;  // in place of undefined, unless missing
};

// Strings as lower case, everything else as it is: what sort, unique, min, max and groupby compare.
Value fold_case(Heap& heap, const Value& value, bool case_sensitive);

}  // namespace ingot::jinja

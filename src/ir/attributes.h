// A node's attributes: a small sorted map from name to value. Which names there are, and of which kind, is in
// attributes.def; infer_node() refuses others. Thread-safety: plain value.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tensor/tensor.h"

namespace ingot {

using Attribute = std::variant<int64_t, float, std::string, std::vector<int64_t>, std::vector<float>,
                               std::vector<std::string>, Tensor>;

class Attributes {
 public:
  Attributes() = default;
  Attributes(std::initializer_list<std::pair<const std::string, Attribute>> list) : map_(list) {}

  void set(std::string name, Attribute value) { map_[std::move(name)] = std::move(value); }
  void erase(std::string_view name) {
    if (auto it = map_.find(name); it != map_.end()) map_.erase(it);
  }
  bool has(std::string_view name) const { return map_.find(name) != map_.end(); }
  const Attribute* find(std::string_view name) const {
    const auto it = map_.find(name);
    return it == map_.end() ? nullptr : &it->second;
  }

  // The value, or `otherwise` when the attribute is absent. infer_node() has checked the kind.
  int64_t get_int(std::string_view name, int64_t otherwise = 0) const { return get(name, otherwise); }
  float get_float(std::string_view name, float otherwise = 0) const { return get(name, otherwise); }
  std::string get_string(std::string_view name, std::string otherwise = "") const {
    return get(name, std::move(otherwise));
  }
  std::vector<int64_t> get_ints(std::string_view name, std::vector<int64_t> otherwise = {}) const {
    return get(name, std::move(otherwise));
  }

  // A list without a copy; an empty one when it is absent.
  const std::vector<int64_t>& ints(std::string_view name) const { return list<int64_t>(name); }
  const std::vector<float>& floats(std::string_view name) const { return list<float>(name); }
  const std::vector<std::string>& strings(std::string_view name) const { return list<std::string>(name); }
  const Tensor* tensor(std::string_view name) const {
    const Attribute* a = find(name);
    return a ? std::get_if<Tensor>(a) : nullptr;
  }

  const std::map<std::string, Attribute, std::less<>>& map() const { return map_; }
  // "" or, in words, an attribute that attributes.def does not list or has under another kind.
  std::string find_problem() const;

 private:
  template <class T>
  T get(std::string_view name, T otherwise) const {
    const Attribute* a = find(name);
    if (!a) return otherwise;
    const T* value = std::get_if<T>(a);
    INGOT_CHECK(value != nullptr);
    return *value;
  }
  template <class T>
  const std::vector<T>& list(std::string_view name) const {
    static const std::vector<T> empty;
    const Attribute* a = find(name);
    if (!a) return empty;
    const auto* value = std::get_if<std::vector<T>>(a);
    INGOT_CHECK(value != nullptr);
    return *value;
  }
  std::map<std::string, Attribute, std::less<>> map_;
};

}  // namespace ingot

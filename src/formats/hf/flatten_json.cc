#include "formats/hf/flatten_json.h"

#include <algorithm>

#include "base/limits.h"
#include "formats/printable.h"

namespace ingot {
namespace {

namespace bj = boost::json;

class Flattener {
 public:
  Flattener(std::string_view what, TextArena& arena, Metadata& out, Nulls* nulls)
      : what_(what), arena_(arena), out_(out), nulls_(nulls) {}

  // The recursion is as deep as the document, which the JSON parser limits.
  Result<void> visit(const bj::value& v, std::string& key) {
    if (key.size() > limits::kTensorNameBytesMax)
      return error(Code::kResourceExhausted, "{}: key '{}' is longer than the limit {}", what_, printable(key),
                   limits::kTensorNameBytesMax);
    if (v.is_null()) return add_null(key);
    if (const bj::object* object = v.if_object()) return visit_object(*object, key);
    if (const bj::array* array = v.if_array()) {
      if (auto vector = as_vector(*array)) return add(key, std::move(*vector));
      return visit_array(*array, key);
    }
    return add(key, scalar(v));
  }

  Result<void> visit_object(const bj::object& object, std::string& key) {
    const size_t length = key.size();
    for (const auto& [name, v] : object) {
      key += '.';
      key += std::string_view(name);
      INGOT_TRY(visit(v, key));
      key.resize(length);
    }
    return {};
  }

 private:
  Result<void> visit_array(const bj::array& array, std::string& key) {
    const size_t length = key.size();
    for (size_t i = 0; i < array.size(); ++i) {
      key += '.';
      key += std::to_string(i);
      INGOT_TRY(visit(array[i], key));
      key.resize(length);
    }
    return {};
  }

  std::string_view keep(std::string_view text) { return arena_.emplace_back(text); }

  MetaValue scalar(const bj::value& v) {
    if (const bool* b = v.if_bool()) return *b;
    if (const int64_t* i = v.if_int64()) return *i;
    if (const uint64_t* u = v.if_uint64()) return *u;
    if (const double* d = v.if_double()) return *d;
    return keep(v.get_string());
  }

  std::optional<MetaValue> as_vector(const bj::array& array) {
    const auto all = [&](auto is) { return std::all_of(array.begin(), array.end(), is); };
    if (all([](const bj::value& v) { return v.is_int64(); }))
      return collect<int64_t>(array, [](const bj::value& v) { return v.get_int64(); });
    if (all([](const bj::value& v) { return v.is_bool(); }))
      return collect<bool>(array, [](const bj::value& v) { return v.get_bool(); });
    if (all([](const bj::value& v) { return v.is_string(); }))
      return collect<std::string_view>(array, [this](const bj::value& v) { return keep(v.get_string()); });
    if (all([](const bj::value& v) { return v.is_uint64() || (v.is_int64() && v.get_int64() >= 0); }))
      return collect<uint64_t>(array, [](const bj::value& v) { return v.to_number<uint64_t>(); });
    if (all([](const bj::value& v) { return v.is_number(); }))
      return collect<double>(array, [](const bj::value& v) { return v.to_number<double>(); });
    return std::nullopt;
  }

  template <class T>
  static std::vector<T> collect(const bj::array& array, auto convert) {
    std::vector<T> out;
    out.reserve(array.size());
    for (const bj::value& v : array) out.push_back(convert(v));
    return out;
  }

  Result<void> add_null(std::string_view key) {
    if (!nulls_) return {};
    INGOT_TRY(count(key));
    nulls_->insert(keep(key));
    return {};
  }

  Result<void> add(std::string_view key, MetaValue value) {
    INGOT_TRY(count(key));
    out_.emplace_back(keep(key), std::move(value));
    return {};
  }

  Result<void> count(std::string_view key) {
    key_bytes_ += key.size();
    const size_t entries = out_.size() + (nulls_ ? nulls_->size() : 0);
    if (entries >= limits::kMetadataEntriesMax || key_bytes_ > limits::kFlatKeyBytesMax)
      return error(Code::kResourceExhausted, "{}: too many values at '{}': the limits are {} entries and {} key bytes",
                   what_, printable(key), limits::kMetadataEntriesMax, limits::kFlatKeyBytesMax);
    return {};
  }

  std::string_view what_;
  TextArena& arena_;
  Metadata& out_;
  Nulls* nulls_;
  uint64_t key_bytes_ = 0;
};

}  // namespace

Result<void> flatten_json(const bj::value& root, std::string_view prefix, std::string_view what, TextArena& arena,
                          Metadata& out, Nulls* nulls) {
  if (!root.is_object()) return invalid("{}: expected a JSON object", what);
  std::string key(prefix);
  return Flattener(what, arena, out, nulls).visit_object(root.get_object(), key);
}

}  // namespace ingot

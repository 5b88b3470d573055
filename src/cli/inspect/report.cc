#include "cli/inspect/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cmath>
#include <filesystem>
#include <iterator>

#include "cli/table.h"
#include "formats/printable.h"

namespace ingot::cli {
namespace {

namespace bj = boost::json;

constexpr size_t kArrayShown = 6;
constexpr size_t kStringBytesShown = 80;

std::string first_string(const Source& source, std::initializer_list<std::string_view> keys) {
  for (std::string_view key : keys) {
    const MetaValue* v = source.find_metadata(key);
    if (!v) continue;
    if (const auto* s = std::get_if<std::string_view>(v)) return std::string(*s);
    const auto* list = std::get_if<std::vector<std::string_view>>(v);
    if (list && !list->empty()) return std::string(list->front());
  }
  return {};
}

std::string shown(std::string_view s) { return printable(s, kStringBytesShown); }
std::string shown(bool b) { return b ? "true" : "false"; }
std::string shown(int64_t i) { return std::to_string(i); }
std::string shown(uint64_t u) { return std::to_string(u); }
std::string shown(double d) { return fmt::format("{:.7g}", d); }

// Long arrays: their first elements and how many there are.
template <class T>
std::string shown(const std::vector<T>& values) {
  std::string out = "[";
  for (size_t i = 0; i < std::min(values.size(), kArrayShown); ++i) {
    if (i) out += ", ";
    const T value = values[i];
    if constexpr (std::is_same_v<T, std::string_view>) {
      out += fmt::format("\"{}\"", printable(value, 24));
    } else {
      out += shown(value);
    }
  }
  return out + (values.size() > kArrayShown ? fmt::format(", … {} in all]", with_commas(values.size())) : "]");
}

bj::value json_of(std::string_view s) { return bj::value(valid_utf8(s)); }
bj::value json_of(bool b) { return b; }
bj::value json_of(int64_t i) { return i; }
bj::value json_of(uint64_t u) { return u; }
bj::value json_of(double d) { return std::isfinite(d) ? bj::value(d) : bj::value(nullptr); }
template <class T>
bj::value json_of(const std::vector<T>& values) {
  bj::array out;
  out.reserve(values.size());
  for (const T value : values) out.push_back(json_of(value));
  return out;
}

std::string tensors_text(const Report& r) {
  Table table({"name", "type", ">shape", ">bytes", ">offset", r.files.size() > 1 ? ">file" : ""});
  for (const SourceTensor& t : r.source->tensors())
    table.add({printable(t.name), std::string(dtype_name(t.view.dtype)), t.view.shape.to_string(),
               with_commas(t.view.num_bytes()), with_commas(t.offset),
               r.files.size() > 1 ? std::to_string(t.file + 1) : ""});
  return fmt::format("\ntensors ({}, shape outermost first)\n{}", r.source->tensors().size(), table.text("  "));
}

}  // namespace

Report make_report(const Source& source) {
  Report r;
  r.source = &source;
  for (const std::string& path : source.paths()) {
    std::error_code ec;
    const auto bytes = std::filesystem::file_size(path, ec);
    r.files.push_back({path, ec ? 0 : bytes});
  }
  r.architecture = first_string(
      source, {"general.architecture", "config.architectures", "config.model_type", "genai_config.model.type"});
  r.name = first_string(source, {"general.name", "config._name_or_path"});
  for (const SourceTensor& t : source.tensors()) {
    auto it = std::find_if(r.types.begin(), r.types.end(), [&](const auto& x) { return x.dtype == t.view.dtype; });
    if (it == r.types.end()) it = r.types.insert(it, {.dtype = t.view.dtype});
    const auto parameters = static_cast<uint64_t>(t.view.num_elements());
    it->tensors += 1;
    it->parameters += parameters;
    it->bytes += t.view.num_bytes();
    r.parameters += parameters;
    r.weight_bytes += t.view.num_bytes();
  }
  std::sort(r.types.begin(), r.types.end(),
            [](const auto& a, const auto& b) { return std::pair(b.bytes, a.dtype) < std::pair(a.bytes, b.dtype); });
  return r;
}

std::string report_text(const Report& r, bool with_tensors) {
  Table head({"", ""});
  head.add({"format", r.source->format()});
  for (size_t i = 0; i < r.files.size(); ++i)
    head.add({i                    ? ""
              : r.files.size() > 1 ? "files"
                                   : "file",
              fmt::format("{} ({})", printable(r.files[i].path, 400), human_bytes(r.files[i].bytes))});
  head.add({"architecture", r.architecture.empty() ? "not given" : printable(r.architecture)});
  if (!r.name.empty()) head.add({"name", printable(r.name)});
  if (!r.types.empty()) {  // an ONNX graph's weights are constants of the graph
    head.add({"parameters", fmt::format("{} ({})", human_count(r.parameters), with_commas(r.parameters))});
    head.add({"weights", fmt::format("{}, {:.2f} bits per weight", human_bytes(r.weight_bytes), r.bits_per_weight())});
  }

  Table types({"type", ">tensors", ">parameters", ">bytes", ">share"});
  for (const auto& t : r.types)
    types.add(
        {std::string(dtype_name(t.dtype)), with_commas(t.tensors), with_commas(t.parameters), human_bytes(t.bytes),
         fmt::format("{:.1f} %",
                     r.weight_bytes ? 100.0 * static_cast<double>(t.bytes) / static_cast<double>(r.weight_bytes) : 0)});

  Table metadata({"", ""});
  for (const auto& [key, value] : r.source->metadata())
    metadata.add({printable(key), std::visit([](const auto& v) { return shown(v); }, value)});

  return fmt::format("{}\n{}\nmetadata ({})\n{}{}", head.text(), types.text(), r.source->metadata().size(),
                     metadata.text("  "), with_tensors ? tensors_text(r) : "");
}

std::string report_json(const Report& r) {
  bj::object out;
  out["format"] = r.source->format();
  bj::array files;
  for (const auto& f : r.files) files.push_back(bj::object{{"path", json_of(f.path)}, {"bytes", f.bytes}});
  out["files"] = std::move(files);
  out["architecture"] = r.architecture.empty() ? bj::value(nullptr) : json_of(r.architecture);
  out["name"] = r.name.empty() ? bj::value(nullptr) : json_of(r.name);
  out["parameters"] = r.parameters;
  out["weight_bytes"] = r.weight_bytes;
  out["bits_per_weight"] = r.bits_per_weight();
  bj::array types;
  for (const auto& t : r.types)
    types.push_back(bj::object{{"dtype", json_of(dtype_name(t.dtype))},
                               {"tensors", t.tensors},
                               {"parameters", t.parameters},
                               {"bytes", t.bytes}});
  out["dtypes"] = std::move(types);
  bj::object metadata;
  for (const auto& [key, value] : r.source->metadata())
    metadata.emplace(valid_utf8(key), std::visit([](const auto& v) { return json_of(v); }, value));
  out["metadata"] = std::move(metadata);
  bj::array tensors;
  for (const SourceTensor& t : r.source->tensors())
    tensors.push_back(bj::object{{"name", json_of(t.name)},
                                 {"dtype", json_of(dtype_name(t.view.dtype))},
                                 {"shape", bj::array(t.view.shape.begin(), t.view.shape.end())},
                                 {"bytes", t.view.num_bytes()},
                                 {"offset", t.offset},
                                 {"file", t.file}});
  out["tensors"] = std::move(tensors);
  return bj::serialize(out) + "\n";
}

}  // namespace ingot::cli

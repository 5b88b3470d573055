#include "llm/engine_source.h"

#include <array>
#include <charconv>

#include "formats/gguf/gguf_source.h"

namespace ingot {
namespace {

constexpr std::string_view kOurs = "ingot.", kFormat = "ingot.source.format", kKind = "ingot.source.kind",
                           kTensors = "ingot.source.tensors", kText = "ingot.text.";
constexpr std::array<std::string_view, 4> kTexts = {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
                                                    "additional_chat_templates/tool_use.jinja"};

constexpr std::pair<SourceKind, std::string_view> kKinds[] = {
    {SourceKind::kGguf, "gguf"}, {SourceKind::kHuggingFace, "hf"}, {SourceKind::kOnnx, "onnx"}};

struct AddValue {
  GgufWriter& writer;
  std::string_view key;

  void operator()(std::string_view v) const { writer.add_string(key, v); }
  void operator()(const std::vector<std::string_view>& v) const { writer.add_strings(key, v); }
  void operator()(const std::vector<bool>& v) const {
    const std::unique_ptr<bool[]> plain(new bool[v.size() + 1]);
    std::copy(v.begin(), v.end(), plain.get());
    writer.add_numbers(key, std::span<const bool>(plain.get(), v.size()));
  }
  template <class T>
  void operator()(const std::vector<T>& v) const {
    writer.add_numbers(key, std::span<const T>(v));
  }
  template <class T>
  void operator()(T v) const {
    writer.add_number(key, v);
  }
};

// "name f32 4,8"; a name has no line break and may have spaces, so the end counts.
std::string tensor_line(const SourceTensor& t) {
  std::string dims;
  for (int i = 0; i < t.view.shape.rank(); ++i) dims += (i ? "," : "") + std::to_string(t.view.shape[i]);
  return fmt::format("{} {} {}", t.name, dtype_name(t.view.dtype), dims);
}

std::optional<SourceTensor> parse_tensor_line(std::string_view line) {
  const size_t second = line.rfind(' ');
  if (second == line.npos || second == 0) return std::nullopt;
  const size_t first = line.rfind(' ', second - 1);
  if (first == line.npos) return std::nullopt;
  const auto dtype = dtype_from_name(line.substr(first + 1, second - first - 1));
  if (!dtype) return std::nullopt;
  Shape shape;
  std::string_view dims = line.substr(second + 1);
  while (!dims.empty() && shape.rank() < limits::kRankMax) {
    int64_t n = 0;
    const auto [end, ec] = std::from_chars(dims.data(), dims.data() + dims.size(), n);
    if (ec != std::errc() || n < 0 || n > limits::kTensorElementsMax) return std::nullopt;
    shape.push_back(n);
    dims.remove_prefix(static_cast<size_t>(end - dims.data()));
    if (dims.starts_with(',')) dims.remove_prefix(1);
  }
  return SourceTensor{line.substr(0, first), {*dtype, shape, nullptr}};
}

class EngineSource final : public Source {
 public:
  EngineSource(std::shared_ptr<const EngineMap> map, std::string_view format) : map_(std::move(map)), format_(format) {
    paths_ = {map_->path()};
    for (const auto& [key, value] : map_->file().metadata) {
      if (key == kTensors) {
        if (const auto* lines = std::get_if<std::vector<std::string_view>>(&value))
          for (std::string_view line : *lines)
            if (const auto t = parse_tensor_line(line)) tensors_.push_back(*t);
      } else if (key == kKind) {
        if (const auto* kind = std::get_if<std::string_view>(&value))
          for (const auto& [known, name] : kKinds)
            if (*kind == name) kind_ = known;
      } else if (!key.starts_with(kOurs) && key != "general.alignment") {
        metadata_.emplace_back(key, value);
      }
    }
    build_index();
  }

  SourceKind kind() const override { return kind_; }
  std::string format() const override { return fmt::format("Ingot engine file, made from {}", format_); }
  const std::vector<std::string>& paths() const override { return paths_; }
  const std::vector<std::pair<std::string_view, MetaValue>>& metadata() const override { return metadata_; }
  const std::vector<SourceTensor>& tensors() const override { return tensors_; }
  std::string_view file(std::string_view name) const override {
    const MetaValue* v = map_->find(std::string(kText) + std::string(name));
    const auto* text = v ? std::get_if<std::string_view>(v) : nullptr;
    return text ? *text : std::string_view();
  }

 private:
  std::shared_ptr<const EngineMap> map_;
  std::string_view format_;
  SourceKind kind_ = SourceKind::kGguf;
  std::vector<std::string> paths_;
  std::vector<std::pair<std::string_view, MetaValue>> metadata_;
  std::vector<SourceTensor> tensors_;
};

}  // namespace

void add_engine_source(GgufWriter& writer, const Source& source) {
  writer.add_string(kFormat, source.format());
  for (const auto& [kind, name] : kKinds)
    if (kind == source.kind()) writer.add_string(kKind, name);
  std::vector<std::string> lines;
  for (const SourceTensor& t : source.tensors()) lines.push_back(tensor_line(t));
  writer.add_strings(kTensors, std::vector<std::string_view>(lines.begin(), lines.end()));
  for (std::string_view name : kTexts)
    if (const std::string_view text = source.file(name); !text.empty())
      writer.add_string(std::string(kText) + std::string(name), text);
  if (const auto entries = gguf_entries(source); !entries.empty()) {
    for (const GgufEntry& e : entries)
      if (e.key != "general.alignment" && !e.key.starts_with(kOurs) && !e.key.starts_with("split."))
        writer.add_entry(e);
    return;
  }
  for (const auto& [key, value] : source.metadata())
    if (key != "general.alignment" && !key.starts_with(kOurs)) std::visit(AddValue{writer, key}, value);
}

std::shared_ptr<const Source> make_engine_source(std::shared_ptr<const EngineMap> map) {
  const MetaValue* format = map->find(kFormat);
  const auto* text = format ? std::get_if<std::string_view>(format) : nullptr;
  if (!text) return nullptr;
  return std::make_shared<EngineSource>(std::move(map), *text);
}

}  // namespace ingot

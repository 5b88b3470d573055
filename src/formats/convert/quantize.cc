#include "formats/convert/quantize.h"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "base/mapped_file.h"
#include "formats/gguf/gguf_source.h"
#include "formats/gguf/gguf_writer.h"
#include "formats/printable.h"
#include "tensor/block_formats.h"

namespace ingot::convert {
namespace {

constexpr size_t kSlabBytes = size_t{32} << 20;  // of output
constexpr size_t kShareBytes = size_t{1} << 17;  // what a thread takes at a time, of floats
constexpr uint32_t kQuantizationVersion = 2;     // of ggml's block formats

Result<ModelTraits> traits_of(const Source& source) {
  ModelTraits m;
  m.architecture = INGOT_TRY(source.get_string("general.architecture")).value_or("");
  const auto number = [&](std::string_view key) { return source.get_int(fmt::format("{}.{}", m.architecture, key)); };
  m.layers = INGOT_TRY(number("block_count")).value_or(0);
  m.experts = INGOT_TRY(number("expert_count")).value_or(0);
  // One number for all layers, or one for each: the first counts.
  const auto first = [&](std::string_view key) -> int64_t {
    const MetaValue* v = source.find_metadata(fmt::format("{}.{}", m.architecture, key));
    if (!v) return 0;
    if (const auto* i = std::get_if<int64_t>(v)) return *i;
    if (const auto* list = std::get_if<std::vector<int64_t>>(v); list && !list->empty()) return list->front();
    return 0;
  };
  const int64_t heads = first("attention.head_count");
  const int64_t kv_heads =
      source.find_metadata(m.architecture + ".attention.head_count_kv") ? first("attention.head_count_kv") : heads;
  m.gqa = kv_heads > 0 ? heads / kv_heads : 0;
  const bool named = m.architecture == "deci" || m.architecture == "olmo" || m.architecture == "qwen2";
  m.seventy_b = (m.layers == 80 && (named || (m.architecture == "llama" && heads != kv_heads))) ||
                (m.layers == 68 && m.architecture == "jais2");
  return m;
}

// One tensor's conversion, a slab of rows at a time.
class Converter {
 public:
  Converter(const SourceTensor& from, DType to, const std::vector<float>* importance, ThreadPool& pool)
      : from_(from.view),
        to_(to),
        importance_(importance),
        pool_(pool),
        columns_(from_.shape.at(-1)),
        rows_(columns_ > 0 ? from_.num_elements() / columns_ : 0),
        rows_of_expert_(from_.shape.rank() >= 2 ? from_.shape.at(-2) : 1),
        row_bytes_to_(dtype_bytes(to, columns_)) {}

  Result<void> write(const GgufWriter::Sink& sink, const std::function<void(uint64_t)>& done) {
    const int64_t slab_rows =
        std::max<int64_t>(1, static_cast<int64_t>(kSlabBytes / std::max<size_t>(1, row_bytes_to_)));
    std::vector<std::byte> slab;
    if (from_.dtype != DType::kF32 && from_.dtype != to_)
      floats_.assign(static_cast<size_t>(pool_.size()), std::vector<float>(static_cast<size_t>(columns_)));
    for (int64_t row = 0; row < rows_; row += slab_rows) {
      const int64_t n = std::min(slab_rows, rows_ - row);
      const std::byte* raw = source_row(row);
      const size_t raw_bytes = static_cast<size_t>(n) * from_.row_bytes();
      if (from_.dtype == to_) {
        INGOT_TRY(sink({raw, raw_bytes}));
      } else {
        slab.resize(static_cast<size_t>(n) * row_bytes_to_);
        INGOT_TRY(convert(row, n, slab.data()));
        INGOT_TRY(sink(slab));
      }
      drop_mapped_pages(raw, raw_bytes);
      done(raw_bytes);
    }
    return {};
  }

 private:
  const std::byte* source_row(int64_t row) const {
    return from_.as<std::byte>() + static_cast<size_t>(row) * from_.row_bytes();
  }

  // Threads take shares of a few rows until none is left; the result does not depend on who took which.
  Result<void> convert(int64_t first, int64_t n, std::byte* out) {
    const int64_t share = std::max<int64_t>(1, static_cast<int64_t>(kShareBytes / sizeof(float)) / columns_);
    std::atomic<int64_t> next{0};
    std::mutex mutex;
    Result<void> result;
    pool_.run([&](int thread, int) {
      float* floats = floats_.empty() ? nullptr : floats_[static_cast<size_t>(thread)].data();
      for (int64_t begin; (begin = next.fetch_add(share)) < n;)
        for (int64_t i = begin; i < std::min(n, begin + share); ++i)
          if (auto ok = convert_row(first + i, floats, out + static_cast<size_t>(i) * row_bytes_to_); !ok) {
            std::lock_guard lock(mutex);
            if (result) result = std::unexpected(ok.error().with_context(fmt::format("row {}", first + i)));
            next = n;
            return;
          }
    });
    return result;
  }

  Result<void> convert_row(int64_t row, float* floats, std::byte* out) const {
    const auto* x = reinterpret_cast<const float*>(source_row(row));
    if (from_.dtype != DType::kF32) {
      decode_row(from_.dtype, source_row(row), floats, columns_);
      x = floats;
    }
    const float* importance = importance_ ? importance_->data() + row / rows_of_expert_ * columns_ : nullptr;
    return encode_row(to_, x, out, columns_, importance);
  }

  const TensorView from_;
  const DType to_;
  const std::vector<float>* importance_;
  ThreadPool& pool_;
  const int64_t columns_, rows_, rows_of_expert_;
  const size_t row_bytes_to_;
  std::vector<std::vector<float>> floats_;  // by thread: one decoded row
};

const std::vector<float>* importance_of(const QuantizeOptions& o, std::string_view name) {
  if (!o.imatrix) return nullptr;
  const auto it = o.imatrix->weights.find(std::string(name));
  return it == o.imatrix->weights.end() ? nullptr : &it->second;
}

// The importance that a tensor is encoded with; null if there is none for it.
Result<const std::vector<float>*> fitting_importance(const QuantizeOptions& o, const SourceTensor& t, DType to) {
  const std::vector<float>* found = importance_of(o, t.name);
  if (!found && needs_imatrix(t.name, to, o.types.file))
    return error(Code::kFailedPrecondition,
                 "[quantize] tensor '{}': {} in a {} file needs an importance matrix: give --imatrix FILE",
                 printable(t.name), dtype_name(to), o.types.file.name);
  if (!found) return nullptr;
  const Shape& s = t.view.shape;
  const int64_t wanted = s.at(-1) * (s.rank() > 2 ? s.at(-3) : 1);
  if (static_cast<int64_t>(found->size()) == wanted) return found;
  if (t.name == "token_embd.weight") return nullptr;  // its importance is that of the head it is tied to
  return invalid("[quantize] tensor '{}' wants {} importances, '{}' has {}: the matrix is of another model",
                 printable(t.name), wanted, o.imatrix_path, found->size());
}

void add_metadata(GgufWriter& writer, std::span<const GgufEntry> entries, const QuantizeOptions& o) {
  for (const GgufEntry& e : entries) {
    const bool ours = e.key == "general.file_type" || e.key == "general.quantization_version" ||
                      e.key.starts_with("split.") || (o.imatrix && e.key.starts_with("quantize.imatrix."));
    if (!ours) writer.add_entry(e);
  }
  writer.add_number("general.quantization_version", kQuantizationVersion);
  writer.add_number("general.file_type", o.types.file.id);
  if (!o.imatrix) return;
  writer.add_string("quantize.imatrix.file", o.imatrix_path);
  if (!o.imatrix->dataset.empty()) writer.add_string("quantize.imatrix.dataset", o.imatrix->dataset);
  writer.add_number("quantize.imatrix.entries_count", static_cast<uint32_t>(o.imatrix->weights.size()));
  if (o.imatrix->chunks > 0)
    writer.add_number("quantize.imatrix.chunks_count", static_cast<uint32_t>(o.imatrix->chunks));
}

}  // namespace

Result<QuantizeReport> plan_quantize(const Source& source, const QuantizeOptions& options) {
  if (source.kind() != SourceKind::kGguf)
    return unimplemented("[quantize] '{}' is a Hugging Face folder: only GGUF files can be quantized; convert it first",
                         source.paths().empty() ? "" : source.paths()[0]);
  std::vector<TensorSpec> specs;
  for (const SourceTensor& t : source.tensors()) specs.push_back({t.name, t.view.dtype, t.view.shape});
  TypeOptions types = options.types;
  types.has_imatrix = options.imatrix != nullptr;
  const std::vector<DType> chosen = INGOT_TRY(choose_types(INGOT_TRY(traits_of(source)), types, specs));
  QuantizeReport report;
  for (size_t i = 0; i < chosen.size(); ++i) {
    const SourceTensor& t = source.tensors()[i];
    const TensorView to{chosen[i], t.view.shape, nullptr};
    if (chosen[i] != t.view.dtype) {
      if (is_quantized(t.view.dtype) && !options.allow_requantize)
        return error(Code::kFailedPrecondition,
                     "[quantize] tensor '{}' is {} already and would lose twice: start from an F16, BF16 or F32 file, "
                     "or give --allow-requantize",
                     printable(t.name), dtype_name(t.view.dtype));
      if (!can_decode(t.view.dtype) || !can_encode(chosen[i]))
        return unimplemented("[quantize] tensor '{}' is {}, which does not turn into {}", printable(t.name),
                             dtype_name(t.view.dtype), dtype_name(chosen[i]));
      INGOT_TRY(fitting_importance(options, t, chosen[i]));
    }
    report.tensors.push_back(
        {std::string(t.name), t.view.shape, t.view.dtype, chosen[i], t.view.num_bytes(), to.num_bytes()});
    report.bytes_from += t.view.num_bytes();
    report.bytes_to += to.num_bytes();
    report.elements += t.view.num_elements();
  }
  return report;
}

Result<QuantizeReport> quantize(const Source& source, const std::string& path, const QuantizeOptions& options) {
  INGOT_CHECK(options.pool != nullptr);
  QuantizeReport report = INGOT_TRY(plan_quantize(source, options));
  GgufWriter writer;
  add_metadata(writer, gguf_entries(source), options);
  uint64_t bytes_done = 0;
  const auto done = [&](uint64_t bytes) {
    bytes_done += bytes;
    if (options.progress) options.progress(bytes_done, report.bytes_from);
  };
  for (size_t i = 0; i < report.tensors.size(); ++i) {
    const SourceTensor& t = source.tensors()[i];
    const DType to = report.tensors[i].to;
    const auto* importance = t.view.dtype == to ? nullptr : INGOT_TRY(fitting_importance(options, t, to));
    writer.add_tensor_stream(
        t.name, to, t.view.shape, [&, to, importance](const GgufWriter::Sink& sink) -> Result<void> {
          auto result = Converter(t, to, importance, *options.pool).write(sink, done);
          if (!result)
            return std::unexpected(
                result.error().with_context(fmt::format("[quantize] tensor '{}'", printable(t.name))));
          return {};
        });
  }
  INGOT_TRY(writer.write(path));
  return report;
}

}  // namespace ingot::convert

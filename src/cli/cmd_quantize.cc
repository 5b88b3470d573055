// `ingot quantize IN OUT --type TYPE`: a GGUF file with its matrices in another type.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/json.hpp>
#include <filesystem>
#include <map>
#include <memory>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/interactive/progress_bar.h"
#include "cli/table.h"
#include "formats/convert/quantize.h"
#include "tensor/block_formats.h"

namespace ingot::cli {
namespace {

namespace json = boost::json;

struct Options {
  std::string in, out, type, imatrix, output_type, embedding_type;
  std::vector<std::string> tensor_types;
  bool allow_requantize = false, pure = false, leave_output = false, dry_run = false, json_output = false;
  int threads = 0;
};

Result<DType> encodable_type(std::string_view option, const std::string& name) {
  std::string lower;
  for (char c : name) lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const auto type = dtype_from_name(lower);
  if (!type || !can_encode(*type) || *type == DType::kF64)
    return invalid("[quantize] {} '{}' is no type that can be written: f32, f16, bf16, q4_0, q4_k, q6_k, q8_0, …",
                   option, name);
  return *type;
}

Result<std::pair<std::string, DType>> tensor_type(const std::string& text) {
  const size_t equals = text.rfind('=');
  if (equals == text.npos || equals == 0)
    return invalid("[quantize] --tensor-type '{}' is not NAME=TYPE, as in ffn_down=q6_k", text);
  return std::pair(text.substr(0, equals), INGOT_TRY(encodable_type("--tensor-type", text.substr(equals + 1))));
}

Result<convert::QuantizeOptions> parse(const Options& o) {
  convert::QuantizeOptions q;
  q.types.file = INGOT_TRY(convert::file_type_from_name(o.type));
  q.types.pure = o.pure;
  q.types.leave_output = o.leave_output;
  if (!o.output_type.empty()) q.types.output = INGOT_TRY(encodable_type("--output-tensor-type", o.output_type));
  if (!o.embedding_type.empty())
    q.types.embedding = INGOT_TRY(encodable_type("--token-embedding-type", o.embedding_type));
  for (const std::string& t : o.tensor_types) q.types.tensor_types.push_back(INGOT_TRY(tensor_type(t)));
  q.allow_requantize = o.allow_requantize;
  q.imatrix_path = o.imatrix;
  return q;
}

double bits_per_weight(uint64_t bytes, int64_t elements) {
  return elements > 0 ? 8.0 * static_cast<double>(bytes) / static_cast<double>(elements) : 0;
}

void print_json(const convert::QuantizeReport& report, const Options& o, double ms) {
  json::array tensors;
  for (const convert::TensorChange& t : report.tensors)
    tensors.push_back({{"name", t.name},
                       {"shape", json::array(t.shape.begin(), t.shape.end())},
                       {"from", dtype_name(t.from)},
                       {"to", dtype_name(t.to)},
                       {"bytes_from", t.bytes_from},
                       {"bytes_to", t.bytes_to}});
  json::object all{{"type", o.type},
                   {"bytes_from", report.bytes_from},
                   {"bytes_to", report.bytes_to},
                   {"bits_per_weight", bits_per_weight(report.bytes_to, report.elements)},
                   {"ms", ms},
                   {"tensors", std::move(tensors)}};
  fmt::print("{}\n", json::serialize(all));
}

// Sizes by kind of tensor: "ffn_down 26 q6_k".
void print_table(const convert::QuantizeReport& report) {
  struct Sum {
    int count = 0;
    uint64_t from = 0, to = 0;
  };
  std::map<std::array<std::string, 3>, Sum> sums;
  for (const convert::TensorChange& t : report.tensors) {
    std::string kind = t.name;
    if (kind.starts_with("blk."))
      if (const size_t dot = kind.find('.', 4); dot != kind.npos) kind = kind.substr(dot + 1);
    Sum& s = sums[{kind, std::string(dtype_name(t.from)), std::string(dtype_name(t.to))}];
    ++s.count;
    s.from += t.bytes_from;
    s.to += t.bytes_to;
  }
  Table table({"tensors", ">count", "from", "to", ">before", ">after"});
  for (const auto& [key, s] : sums)
    table.add({key[0], std::to_string(s.count), key[1], key[2], human_bytes(s.from), human_bytes(s.to)});
  table.add({"all", std::to_string(report.tensors.size()), "", "", human_bytes(report.bytes_from),
             human_bytes(report.bytes_to)});
  fmt::print("{}{:.2f} -> {:.2f} bits per weight\n", table.text(), bits_per_weight(report.bytes_from, report.elements),
             bits_per_weight(report.bytes_to, report.elements));
}

Result<void> run(const Options& o) {
  convert::QuantizeOptions q = INGOT_TRY(parse(o));
  convert::Imatrix imatrix;
  if (!o.imatrix.empty()) {
    imatrix = INGOT_TRY(convert::read_imatrix(o.imatrix));
    q.imatrix = &imatrix;
  }
  const auto source = INGOT_TRY(open_source(o.in));
  std::error_code ec;
  for (const std::string& path : source->paths())
    if (std::filesystem::equivalent(path, o.out, ec))
      return invalid("[quantize] '{}' is the input itself: give the output another name", o.out);
  const auto pool = INGOT_TRY(ThreadPool::create(o.threads > 0 ? o.threads : ThreadPool::default_threads()));
  q.pool = pool.get();
  ProgressBar bar;
  bar.label(o.type);
  if (!o.json_output)
    q.progress = [&bar](uint64_t done, uint64_t total) {
      bar.update(static_cast<int64_t>(done), static_cast<int64_t>(total));
    };
  const Stopwatch watch;
  auto report = o.dry_run ? convert::plan_quantize(*source, q) : convert::quantize(*source, o.out, q);
  bar.clear();
  if (!report) return std::unexpected(report.error());
  if (o.json_output)
    print_json(*report, o, watch.elapsed_ms());
  else
    print_table(*report);
  return {};
}

}  // namespace

void add_quantize(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  CLI::App* c = app.add_subcommand("quantize", "Write a GGUF file with smaller weights");
  std::vector<std::string_view> names;
  for (const convert::FileType& t : convert::all_file_types()) names.push_back(t.name);
  c->add_option("IN", o->in, "A GGUF file, best in F32, BF16 or F16")->required();
  c->add_option("OUT", o->out, "The file to write")->required();
  c->add_option("--type", o->type, fmt::format("One of {}", fmt::join(names, " ")))->required();
  c->add_option("--imatrix", o->imatrix, "Importance of the inputs, from llama.cpp's imatrix tool (GGUF or .dat)");
  c->add_option("--tensor-type", o->tensor_types, "NAME=TYPE: tensors whose name matches the expression NAME");
  c->add_option("--output-tensor-type", o->output_type, "Type of output.weight");
  c->add_option("--token-embedding-type", o->embedding_type, "Type of the token embedding");
  c->add_flag("--allow-requantize", o->allow_requantize, "Also from quantized tensors: they lose twice");
  c->add_flag("--pure", o->pure, "One type for all matrices instead of a mix");
  c->add_flag("--leave-output-tensor", o->leave_output, "Keep output.weight as it is");
  c->add_flag("--dry-run", o->dry_run, "Only say what would be written");
  c->add_option("-t,--threads", o->threads, "Threads; 0: all cores this process may use")
      ->check(CLI::Range(0, limits::kThreadsMax))
      ->envname("INGOT_THREADS");
  c->add_flag("--json", o->json_output, "One JSON object with every tensor");
  c->footer(
      "\nWhich tensor gets which type is llama.cpp's choice, so the files are alike.\n\nExamples:\n"
      "  ingot quantize model-f16.gguf model-q4_k_m.gguf --type Q4_K_M\n"
      "  ingot quantize model-f16.gguf small.gguf --type Q3_K_M --imatrix imatrix.gguf\n"
      "  ingot quantize model-f16.gguf own.gguf --type Q4_0 --tensor-type 'ffn_down=q6_k' --output-tensor-type q8_0");
  c->callback([o, &action] { action = [o] { return run(*o); }; });
}

}  // namespace ingot::cli

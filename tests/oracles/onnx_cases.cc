// Runs ONNX backend test cases: each folder holds model.onnx and test_data_set_*/{input,output}_<i>.pb.
//
// usage: onnx_cases LIST [--ref] [--no-passes]     LIST: one folder a line, with rtol and atol: "DIR RTOL ATOL"
// Prints "PASS DIR", "FAIL DIR: why" or "SKIP DIR: why" (operators not built) per folder. Sessions run on one
// thread; with --ref node by node on the reference backend alone; with --no-passes the optimizer is off.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "backends/cpu/cpu.h"
#include "backends/evaluate.h"
#include "backends/ref/ref.h"
#include "base/mapped_file.h"
#include "formats/onnx/onnx_import.h"
#include "passes/pipeline.h"
#include "runtime/session.h"
#include "tensor/number_at.h"

namespace ingot {
namespace {

namespace fs = std::filesystem;

// The values of these types; more files than types, or fewer inputs, are an error of the case.
Result<std::vector<Tensor>> read_values(const fs::path& folder, const std::string& prefix, const Graph& graph,
                                        std::span<const ValueId> ids) {
  std::vector<Tensor> out;
  for (int i = 0;; ++i) {
    const fs::path path = folder / fmt::format("{}_{}.pb", prefix, i);
    if (!fs::exists(path)) return out;
    if (static_cast<size_t>(i) >= ids.size()) return invalid("{} values, the model has {}", prefix, ids.size());
    std::ifstream in(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    out.push_back(
        INGOT_TRY(parse_onnx_value(std::as_bytes(std::span(bytes)), graph.value(ids[static_cast<size_t>(i)]).type)));
  }
}

std::string compare(const TensorView& got, const TensorView& want, double rtol, double atol) {
  if (got.dtype != want.dtype) return fmt::format("is {}, not {}", dtype_name(got.dtype), dtype_name(want.dtype));
  if (!(got.shape == want.shape))
    return fmt::format("has shape {}, not {}", got.shape.to_string(), want.shape.to_string());
  if (is_container(got.dtype)) {
    for (int64_t i = 0; i < got.num_elements(); ++i)
      if (const std::string why = compare(got.as<Tensor>()[i], want.as<Tensor>()[i], rtol, atol); !why.empty())
        return fmt::format("element {} {}", i, why);
    return "";
  }
  if (got.dtype == DType::kString) {
    for (int64_t i = 0; i < got.num_elements(); ++i)
      if (got.as<std::string>()[i] != want.as<std::string>()[i])
        return fmt::format("[{}] is '{}', not '{}'", i, got.as<std::string>()[i], want.as<std::string>()[i]);
    return "";
  }
  const int64_t n =
      dtype_info(got.dtype).block_elements > 1 ? static_cast<int64_t>(got.num_bytes()) : got.num_elements();
  if (got.dtype == DType::kBF16) rtol = std::max(rtol, 0x1p-6);  // as ONNX's own runner does: two steps
  for (int64_t i = 0; i < n; ++i) {
    const double a = number_at(got, i), b = number_at(want, i);
    const bool equal = a == b || (std::isnan(a) && std::isnan(b)) || std::fabs(a - b) <= atol + rtol * std::fabs(b);
    if (!equal) return fmt::format("[{}] is {}, not {}", i, a, b);
  }
  return "";
}

Result<std::vector<Tensor>> run_session(Session& session, std::span<const Tensor> inputs) {
  std::vector<TensorView> views(inputs.begin(), inputs.end());
  const auto outputs = INGOT_TRY(session.run(views));
  std::vector<Tensor> copies;
  for (size_t i = 0; i < session.graph().outputs().size(); ++i) {
    copies.push_back(copy_of(outputs[i]));
  }
  return copies;
}

// "" if the case passes.
Result<std::string> run_case(const fs::path& folder, double rtol, double atol, bool ref, bool passes) {
  const Graph graph = INGOT_TRY(import_onnx((folder / "model.onnx").string()));
  INGOT_TRY(verify(graph));
  std::unique_ptr<Session> session;
  if (!ref) {
    std::vector<std::string> disabled;
    for (const Pass& p : all_passes())
      if (!passes) disabled.emplace_back(p.name);
    auto pool = std::make_shared<ThreadPool>(1);
    session = INGOT_TRY(Session::create(
        graph, {.pool = pool, .backends = {&cpu_backend(), &ref_backend()}, .disabled_passes = disabled}));
  }
  // The text form says everything.
  std::vector<const Tensor*> omitted;
  const std::string text = print(graph, omitted);
  size_t next = 0;
  const Graph parsed = INGOT_TRY(parse_graph(text, [&](const Type&) -> Result<StoredConstant> {
    if (next == omitted.size()) return invalid("more constants than were left out");
    return StoredConstant{*omitted[next++]};
  }));
  if (print(parsed) != text) return "is not the same after print and parse";
  int data_sets = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!entry.is_directory()) continue;
    ++data_sets;
    const auto inputs = INGOT_TRY(read_values(entry.path(), "input", graph, graph.inputs()));
    const auto want = INGOT_TRY(read_values(entry.path(), "output", graph, graph.outputs()));
    const auto got = INGOT_TRY(ref ? evaluate_graph(ref_backend(), graph, inputs) : run_session(*session, inputs));
    if (got.size() != want.size()) return fmt::format("{} outputs, not {}", got.size(), want.size());
    for (size_t i = 0; i < want.size(); ++i)
      if (const std::string why = compare(got[i], want[i], rtol, atol); !why.empty())
        return fmt::format("output {} {}", i, why);
  }
  return data_sets > 0 ? "" : "has no data";
}

int run_list(const char* list, bool ref, bool passes) {
  std::ifstream in(list);
  int failed = 0;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string folder;
    double rtol = 1e-3, atol = 1e-7;
    words >> folder >> rtol >> atol;
    const auto result = run_case(folder, rtol, atol, ref, passes);
    if (!result && result.error().code() == Code::kUnimplemented) {
      std::cout << "SKIP " << folder << ": " << result.error().message() << "\n";
    } else if (!result || !result->empty()) {
      std::cout << "FAIL " << folder << ": " << (result ? *result : result.error().message()) << "\n";
      ++failed;
    } else {
      std::cout << "PASS " << folder << "\n";
    }
    std::cout.flush();
  }
  return failed ? 1 : 0;
}

}  // namespace
}  // namespace ingot

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: onnx_cases LIST [--ref]\n");
    return 2;
  }
  bool ref = false, passes = true;
  for (int i = 2; i < argc; ++i) {
    ref |= std::string_view(argv[i]) == "--ref";
    passes &= std::string_view(argv[i]) != "--no-passes";
  }
  return ingot::run_list(argv[1], ref, passes);
}

// libFuzzer: any bytes as an engine file's document, or as the text of its graph whose large constants have no bytes.
// What opens is compiled with packed weights that are all zero, and run once on small inputs. Sizes are kept small; a
// Status is fine everywhere. The checksum and the names of machine and build are left out: they keep out nobody.
#include <cstring>

#include "backends/cpu/cpu.h"
#include "backends/ref/ref.h"
#include "plan/engine_file.h"
#include "runtime/fuzz_inputs.h"
#include "runtime/session.h"

namespace ingot {
namespace {

// Every piece that is asked for, within a limit, as if the file held it.
class ZeroStore final : public PackedStore {
 public:
  Result<Piece> take(size_t bytes) override {
    if (bytes > fuzz::kBytesMax || (taken_ += bytes) > 4 * fuzz::kBytesMax) return invalid("[fuzz] a large piece");
    auto memory = allocate_packed(bytes);
    std::memset(memory.get(), 0, bytes);
    return Piece{std::move(memory), true};
  }

 private:
  size_t taken_ = 0;
};

// Values small enough, nested ones too.
bool is_small(const Graph& graph) {
  for (size_t i = 0; i < graph.num_values(); ++i) {
    const Type& type = graph.value(ValueId{static_cast<int32_t>(i)}).type;
    const Shape shape = fuzz::small_shape(type);
    if (shape.num_elements() > static_cast<int64_t>(fuzz::kBytesMax) || type.dtype == DType::kString) return false;
  }
  for (NodeId n : graph.order())
    for (const auto& [name, sub] : graph.node(n).subgraphs)
      if (!is_small(*sub)) return false;
  return true;
}

Result<void> compile_and_run(Graph graph) {
  if (!is_small(graph)) return {};
  SessionOptions options{.pool = std::make_shared<ThreadPool>(1), .backends = {&cpu_backend(), &ref_backend()}};
  options.store = std::make_shared<ZeroStore>();
  options.optimized = true;
  options.state_symbols = {{"pages", 2}};
  const auto session = INGOT_TRY(Session::create(std::move(graph), std::move(options)));
  std::vector<Tensor> inputs;
  std::vector<TensorView> views;
  for (ValueId v : session->graph().inputs()) {
    inputs.push_back(fuzz::small_value(session->graph().value(v).type));
    if (!inputs.back().defined()) return {};
    views.push_back(inputs.back().view());
  }
  INGOT_TRY(session->run(views, nullptr, {.loop_iterations_max = 16}));
  return {};
}

Result<Graph> graph_of_text(std::string_view text) {
  const auto next = [](const Type& type) -> Result<StoredConstant> {
    const TensorView view{type.dtype, *type.concrete(), nullptr};
    if (view.dtype == DType::kString || view.num_bytes() > fuzz::kBytesMax) return invalid("[fuzz] a large constant");
    if (view.num_bytes() < kReleaseBytesMin) return StoredConstant{fuzz::small_numbers(view.dtype, view.shape)};
    static const int nothing = 0;
    return StoredConstant{Tensor(view, std::shared_ptr<const void>(&nothing, [](const void*) {})), true};
  };
  Graph graph = INGOT_TRY(parse_graph(text, next));
  INGOT_TRY(verify(graph));
  return graph;
}

}  // namespace
}  // namespace ingot

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ingot;
  const auto bytes = std::as_bytes(std::span(data, size));
  (void)check_engine_bytes(bytes, "fuzz");
  if (std::string_view(reinterpret_cast<const char*>(data), size).starts_with("GGUF")) {
    // Tensors of the document are aligned as in a map.
    const std::shared_ptr<void> copy = allocate_aligned(size);
    std::memcpy(copy.get(), data, size);
    const std::span document(static_cast<const std::byte*>(copy.get()), size);
    if (auto map = EngineMap::parse(document, "fuzz", copy))
      if (auto engine = read_engine(std::move(*map))) (void)compile_and_run(std::move(engine->graph));
  } else if (auto graph = graph_of_text({reinterpret_cast<const char*>(data), size})) {
    (void)compile_and_run(*std::move(graph));
  }
  return 0;
}

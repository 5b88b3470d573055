// Engine files of tensor models: weights in every packed form, subgraphs, small and large constants.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <random>

#include "backends/cpu/cpu.h"
#include "backends/ref/ref.h"
#include "base/mapped_file.h"
#include "plan/engine_file.h"
#include "runtime/session.h"

namespace ingot {
namespace {

constexpr std::string_view kText = R"(graph "g" {
  input %c: bool[]
  input %x: f32[1,8,12,12]
  const %k: f32[16,8,3,3]
  const %w: f32[100,200]
  const %t: f32[16,8,2,2]
  const %s: i64[2] = [1,1600]
  const %s2: i64[2] = [16,100]
  %y: f32[1,16,10,10] = Conv(%x, %k)
  %r: f32[1,1600] = Reshape(%y, %s)
  %m: f32[16,100] = Reshape(%r, %s2)
  %z: f32[16,200] = MatMul(%m, %w)
  %i: f32[16,200] = If(%c, %z) {then_branch=graph "t" {
    input %p: f32[16,200]
    const %v: f32[200,64]
    const %u: f32[64,200]
    %q: f32[16,64] = MatMul(%p, %v)
    %o: f32[16,200] = MatMul(%q, %u)
    output %o
  }, else_branch=graph "e" {
    input %p: f32[16,200]
    const %v: f32[200]
    %o: f32[16,200] = Add(%p, %v)
    output %o
  }}
  %d: f32[1,8,11,11] = ConvTranspose(%y, %t)
  output %i, %d
})";

void fill(Graph& g, std::mt19937& random) {
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (size_t v = 0; v < g.num_values(); ++v) {
    Tensor& t = g.value(ValueId{static_cast<int32_t>(v)}).constant;
    if (!t.defined() || t.dtype() != DType::kF32) continue;
    for (int64_t i = 0; i < t.shape().num_elements(); ++i) t.mutable_as<float>()[i] = uniform(random);
  }
  for (NodeId n : g.order())
    for (auto& [name, sub] : g.node(n).subgraphs) fill(*sub, random);
}

std::vector<std::vector<float>> run(Session& s, bool condition) {
  std::vector<float> x(8 * 12 * 12);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 13) - 6;
  const TensorView inputs[] = {{DType::kBool, {}, &condition}, {DType::kF32, {1, 8, 12, 12}, x.data()}};
  const auto out = s.run(inputs);
  EXPECT_TRUE(out) << out.error().message();
  std::vector<std::vector<float>> values;
  for (size_t i = 0; out && i < 2; ++i)
    values.emplace_back((*out)[i].as<float>(), (*out)[i].as<float>() + (*out)[i].num_elements());
  return values;
}

TEST(EngineSession, gives_the_bits_of_the_graph_it_was_made_from) {
  auto graph = parse_graph(kText);
  ASSERT_TRUE(graph) << graph.error().message();
  std::mt19937 random(7);
  fill(*graph, random);
  const auto recorder = std::make_shared<PackedRecorder>();
  SessionOptions options{.pool = std::make_shared<ThreadPool>(2), .backends = {&cpu_backend(), &ref_backend()}};
  options.store = recorder;
  auto made = Session::create(std::move(*graph), options);
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_GE(recorder->pieces().size(), 5u);
  const std::string path =
      (std::filesystem::temp_directory_path() / fmt::format("ingot-{}.ingot", ::getpid())).string();
  const auto written = write_engine(path, {(*made)->plan(), *recorder});
  ASSERT_TRUE(written) << written.error().message();

  auto engine = open_engine(path);
  ASSERT_TRUE(engine) << engine.error().message();
  options.store = engine->store;
  options.optimized = true;
  auto again = Session::create(engine->graph, options);
  ASSERT_TRUE(again) << again.error().message();
  const auto same = check_engine_kernels(*engine, (*again)->plan());
  EXPECT_TRUE(same) << same.error().message();
  for (const bool condition : {true, false}) EXPECT_EQ(run(**made, condition), run(**again, condition));
  std::filesystem::remove(path);
}

// An engine file of this graph that holds no tensors.
Result<EngineFile> without_tensors(std::string_view text) {
  const std::string path =
      (std::filesystem::temp_directory_path() / fmt::format("ingot-bare-{}.gguf", ::getpid())).string();
  GgufWriter writer;
  writer.add_string("ingot.graph", text);
  writer.add_strings("ingot.kernels", std::vector<std::string_view>{});
  writer.add_number("ingot.pieces", uint64_t{0});
  INGOT_TRY(writer.write(path));
  const auto file = INGOT_TRY(MappedFile::open(path));
  std::filesystem::remove(path);
  return read_engine(INGOT_TRY(EngineMap::parse(file->bytes(), path, file)));
}

// With the text of a graph the checksum is right: what it says must be refused by what it means.
TEST(EngineSession, refuses_constants_without_bytes_that_are_read) {
  EXPECT_TRUE(without_tensors("graph \"g\" { input %x: f32[4] %y: f32[4] = Tanh(%x) output %y }"));
  for (std::string_view text :
       {"graph \"g\" { input %x: f32[4] const %s: i64[2] %y: f32[*] = Reshape(%x, %s) output %y }",
        "graph \"g\" { input %x: f32[4] const %s: string[1024] %y: string[1024] = Identity(%s) output %y }",
        "graph \"g\" { const %s: string[1024] output %s }", "graph \"g\" { const %s: f64[1073741823] = output %s }"}) {
    const auto engine = without_tensors(text);
    ASSERT_FALSE(engine) << text;
    EXPECT_EQ(engine.error().code(), Code::kDataLoss) << engine.error().message();
  }
  for (std::string_view text :
       {"graph \"g\" { input %x: f32[8192] const %c: f32[8192] %y: f32[8192] = Add(%x, %c) output %y }",
        "graph \"g\" { input %x: f32[t,8192] const %c: f32[8192] %y: f32[t,8192] = ingot.rms_norm(%x, %c) output %y }",
        "graph \"g\" { const %c: f32[8192] output %c }",
        "graph \"g\" { const %c: f32[8192] %y: f32[8192] = Identity(%c) output %y }"}) {
    auto engine = without_tensors(text);
    ASSERT_TRUE(engine) << text << engine.error().message();
    SessionOptions options{.pool = std::make_shared<ThreadPool>(1), .backends = {&cpu_backend(), &ref_backend()}};
    options.store = engine->store;
    options.optimized = true;
    const auto session = Session::create(std::move(engine->graph), std::move(options));
    ASSERT_FALSE(session) << text;
    EXPECT_NE(session.error().message().find("bytes are not there"), std::string::npos) << session.error().message();
  }
}

}  // namespace
}  // namespace ingot

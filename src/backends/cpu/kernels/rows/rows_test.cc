// The row kernels on every ISA: errors of the elementary functions over their whole range, the ops against the
// reference kernels, and the same bits for any partition.
#include "backends/cpu/kernels/rows/rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <random>
#include <vector>

#include "backends/cpu/cpu.h"
#include "backends/cpu/kernels/simd/float_isa.h"
#include "backends/ref/ref.h"

namespace ingot {
namespace {

using rows::ActivationKind;

// Every sign and exponent with a few mantissas, and numbers near one.
std::vector<float> test_numbers(float largest) {
  std::vector<float> out = {0.0f, -0.0f};
  std::mt19937 random(1);
  for (float base = 0x1p-126f; base < largest; base *= 2)
    for (int i = 0; i < 50; ++i) {
      const float x = base * (1 + static_cast<float>(random() % 8388608) / 8388608.0f);
      out.push_back(std::min(x, largest));
      out.push_back(-out.back());
    }
  std::uniform_real_distribution<float> near(-12, 12);
  for (int i = 0; i < 40000; ++i) out.push_back(near(random));
  return out;
}

double ulp(double x) { return std::ldexp(1.0, std::max(std::ilogb(x), -126) - 23); }

TEST(Rows, activations_are_within_three_ten_millionths_of_the_input) {
  const std::vector<float> x = test_numbers(3e38f);
  std::vector<float> y(x.size());
  const std::pair<ActivationKind, std::function<double(double)>> functions[] = {
      {ActivationKind::kSilu, [](double v) { return v < -700 ? 0 : v / (1 + std::exp(-v)); }},
      {ActivationKind::kGelu, [](double v) { return v * 0.5 * std::erfc(-v * 0.70710678118654752440); }},
      {ActivationKind::kGeluTanh,
       [](double v) {
         const double u = 1.5957691216057307 * (v + 0.044715 * v * v * v);
         return u < -700 ? 0 : v / (1 + std::exp(-u));
       }},
      {ActivationKind::kRelu, [](double v) { return v > 0 ? v : 0; }}};
  for (Isa isa : available_float_isas())
    for (const auto& [kind, exact] : functions) {
      rows::kernels_for(isa).activation(kind, x.data(), y.data(), static_cast<int64_t>(x.size()));
      for (size_t i = 0; i < x.size(); ++i)
        ASSERT_LE(std::fabs(y[i] - exact(x[i])), 3e-7 * std::fabs(x[i]) + 1e-37)
            << isa_name(isa) << " activation " << static_cast<int>(kind) << " of " << x[i] << " is " << y[i];
    }
}

TEST(Rows, softcap_is_within_four_units_in_the_last_place_of_normal_numbers) {
  const std::vector<float> x = test_numbers(1e4f);
  std::vector<float> y(x.size());
  for (Isa isa : available_float_isas())
    for (float cap : {1.0f, 30.0f, 50.0f}) {
      rows::kernels_for(isa).softcap(x.data(), cap, y.data(), static_cast<int64_t>(x.size()));
      for (size_t i = 0; i < x.size(); ++i) {
        const double exact = cap * std::tanh(static_cast<double>(x[i]) / cap);
        ASSERT_LE(std::fabs(y[i] - exact), 4 * ulp(exact) + 1e-37) << isa_name(isa) << " cap " << cap << " x " << x[i];
      }
    }
}

TEST(Rows, rope_angles_are_exact_to_float_up_to_a_million_tokens) {
  const std::vector<float> frequencies = {1.0f, 0.77f, 0.1f, 0.0133f, 1e-3f, 1.7e-5f, 2.0f};
  std::vector<float> y(14);
  for (Isa isa : available_float_isas())
    for (int position = 0; position < 1000000; position += position < 3000 ? 1 : 997) {
      rows::kernels_for(isa).rope_table(static_cast<float>(position), frequencies.data(), 7, 1.5f, y.data());
      for (size_t i = 0; i < 7; ++i) {
        const double angle = static_cast<float>(position) * frequencies[i];
        ASSERT_NEAR(y[i], 1.5 * std::cos(angle), 2.3e-7) << isa_name(isa) << " " << angle;
        ASSERT_NEAR(y[7 + i], 1.5 * std::sin(angle), 2.3e-7) << isa_name(isa) << " " << angle;
      }
    }
}

TEST(Rows, what_is_not_a_number_stays_so_and_infinities_saturate) {
  const float nan = std::nanf(""), inf = HUGE_VALF;
  for (Isa isa : available_float_isas()) {
    const rows::Kernels& k = rows::kernels_for(isa);
    for (ActivationKind kind : {ActivationKind::kSilu, ActivationKind::kGelu, ActivationKind::kGeluTanh}) {
      const float x[] = {nan, inf, 1};
      float y[3];
      k.activation(kind, x, y, 3);
      EXPECT_TRUE(std::isnan(y[0])) << isa_name(isa);
      EXPECT_EQ(y[1], inf) << isa_name(isa);
    }
    const float x[] = {nan, inf, -inf};
    float y[3];
    k.softcap(x, 30, y, 3);
    EXPECT_TRUE(std::isnan(y[0]));
    EXPECT_EQ(y[1], 30);
    EXPECT_EQ(y[2], -30);
  }
}

// ---- the ops, through the backends

struct Operand {
  DType dtype;
  Shape shape;
  std::vector<float> floats;
  std::vector<int32_t> ints;
  TensorView view() const {
    return {dtype, shape, dtype == DType::kI32 ? static_cast<const void*>(ints.data()) : floats.data()};
  }
};

Operand floats(Shape shape, uint32_t seed, float deviation = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, deviation);
  Operand o{DType::kF32, shape, std::vector<float>(static_cast<size_t>(shape.num_elements())), {}};
  for (float& f : o.floats) f = normal(random);
  return o;
}
Operand ints(std::vector<int32_t> values) {
  const int64_t n = static_cast<int64_t>(values.size());
  return {DType::kI32, {n}, {}, std::move(values)};
}

struct OpCase {
  std::string name;
  Op op;
  std::vector<Operand> in;
  std::vector<Shape> out;
  Attributes attributes;
  std::vector<int> constants = {};
};

// One kernel run with a thread count, threads one after the other (none of these has a barrier). In place: output 0
// over input 0, when the kernel allows.
std::vector<std::vector<float>> run(const OpCase& c, const Backend& backend, int threads, bool in_place) {
  Graph g;
  std::vector<ValueId> ids;
  for (size_t i = 0; i < c.in.size(); ++i) {
    const auto dims = c.in[i].shape.dims();
    if (std::ranges::find(c.constants, static_cast<int>(i)) != c.constants.end()) {
      Tensor t = Tensor::allocate(DType::kI64, c.in[i].shape);
      std::ranges::copy(c.in[i].ints, t.mutable_as<int64_t>());
      ids.push_back(g.add_constant("c" + std::to_string(i), t));
    } else {
      ids.push_back(g.add_input("i" + std::to_string(i), Type::of(c.in[i].dtype, Dims(dims.begin(), dims.end()))));
    }
  }
  const auto node = g.add_node(c.op, ids, static_cast<int>(c.out.size()), c.attributes);
  EXPECT_TRUE(node) << node.error().message();
  const NodeView view{g, g.node(*node)};
  const Support support = backend.supports(view);
  EXPECT_TRUE(support.ok) << c.name << ": " << support.reason;
  ThreadPool pool(1);
  const auto kernel = backend.prepare(view, pool);
  EXPECT_TRUE(kernel);
  std::vector<Operand> operands = c.in;
  std::vector<TensorView> inputs;
  for (const Operand& o : operands) inputs.push_back(o.view());
  std::vector<std::vector<float>> out;
  std::vector<TensorRef> outputs;
  for (const Shape& s : c.out) out.emplace_back(static_cast<size_t>(s.num_elements()));
  for (size_t i = 0; i < out.size(); ++i) outputs.push_back({DType::kF32, c.out[i], out[i].data()});
  const bool over = in_place && (kernel->inplace_inputs & 1) && c.in[0].shape == c.out[0];
  if (over) outputs[0].data = operands[0].floats.data();
  for (int t = 0; t < threads; ++t) {
    KernelContext context{
        view.node, kernel->prepared.get(),
        inputs,    outputs,
        nullptr,   t,
        threads,   {nullptr, nullptr, nullptr, [](void*, Status s) { ADD_FAILURE() << s.message(); }}};
    kernel->run(context);
  }
  if (over) out[0] = operands[0].floats;
  return out;
}

std::vector<OpCase> op_cases() {
  std::vector<OpCase> out;
  for (int64_t width : {1, 7, 16, 33, 64, 100, 640, 2049}) {
    const std::string n = std::to_string(width);
    const Shape shape = {5, 3 * width}, plain = {5, width};
    out.push_back({"rms_norm" + n, Op::kRmsNorm, {floats(shape, 1), floats({width}, 2)}, {shape}, {{"eps", 1e-6f}}});
    out.push_back({"layer_norm" + n,
                   Op::kLayerNormalization,
                   {floats(plain, 3), floats({width}, 4), floats({width}, 5)},
                   {plain},
                   {{"axis", int64_t{-1}}, {"epsilon", 1e-5f}}});
    out.push_back({"add" + n, Op::kAdd, {floats(plain, 6), floats(plain, 7)}, {plain}, {}});
    for (const char* name : {"silu", "gelu", "gelu_tanh", "relu"}) {
      out.push_back({name + n, Op::kActivation, {floats(plain, 8, 3)}, {plain}, {{"activation", std::string(name)}}});
      out.push_back({"gated_" + (name + n),
                     Op::kGatedActivation,
                     {floats(plain, 9, 3), floats(plain, 10)},
                     {plain},
                     {{"activation", std::string(name)}}});
      out.push_back({"packed_" + (name + n),
                     Op::kGatedActivation,
                     {floats({5, 2 * width}, 11, 3)},
                     {plain},
                     {{"activation", std::string(name)}}});
    }
    out.push_back({"softcap" + n, Op::kSoftcap, {floats(plain, 12, 40)}, {plain}, {{"cap", 30.0f}}});
    out.push_back(
        {"gather" + n, Op::kGather, {floats(plain, 13), ints({4, 0, 0, 3})}, {{4, width}}, {{"axis", int64_t{0}}}});
    out.push_back({"split" + n,
                   Op::kSplit,
                   {floats(shape, 14), ints({static_cast<int32_t>(2 * width), static_cast<int32_t>(width)})},
                   {{5, 2 * width}, {5, width}},
                   {{"axis", int64_t{-1}}},
                   {1}});
    out.push_back({"rope_table" + n,
                   Op::kRopeTable,
                   {ints({0, 1, 77, 4095, 131071}), floats({width}, 15, 0.3f)},
                   {{5, 2 * width}},
                   {{"scale", 1.2f}}});
    for (int64_t interleaved : {0, 1})
      for (int64_t rest : {0, 6})
        out.push_back({"rope" + n,
                       Op::kRope,
                       {floats({5, 3 * (2 * width + rest)}, 16), floats({5, 2 * width}, 17)},
                       {{5, 3 * (2 * width + rest)}},
                       {{"head_dim", 2 * width + rest}, {"interleaved", interleaved}}});
  }
  return out;
}

// Tolerance: 1e-6 of the largest magnitude of the result (a norm's sum of 2049 squares in float32 included).
TEST(Rows, ops_agree_with_the_reference_and_do_not_depend_on_partition_or_place) {
  for (Isa isa : available_float_isas()) {
    set_isa(isa);
    for (const OpCase& c : op_cases()) {
      SCOPED_TRACE(c.name + " " + std::string(isa_name(isa)));
      const auto want = run(c, ref_backend(), 1, false), got = run(c, cpu_backend(), 1, false);
      for (size_t o = 0; o < want.size(); ++o) {
        float largest = 0;
        for (float f : want[o]) largest = std::max(largest, std::fabs(f));
        for (size_t i = 0; i < want[o].size(); ++i) ASSERT_NEAR(got[o][i], want[o][i], 1e-6f * largest) << i;
      }
      for (int threads : {1, 2, 3, 7})
        for (bool in_place : {false, true}) {
          const auto again = run(c, cpu_backend(), threads, in_place);
          for (size_t o = 0; o < want.size(); ++o)
            ASSERT_EQ(0, std::memcmp(again[o].data(), got[o].data(), got[o].size() * sizeof(float)))
                << threads << " threads, in place: " << in_place;
        }
    }
  }
  set_isa(detected_isa());
}

TEST(Rows, add_takes_a_row_for_every_row) {
  const OpCase row{"add_row", Op::kAdd, {floats({7, 33}, 1), floats({33}, 2)}, {{7, 33}}, {}};
  const auto got = run(row, cpu_backend(), 3, true);
  for (size_t i = 0; i < got[0].size(); ++i) EXPECT_EQ(got[0][i], row.in[0].floats[i] + row.in[1].floats[i % 33]);
}

TEST(Rows, gather_reports_an_index_out_of_range) {
  Graph g;
  const ValueId x = g.add_input("x", Type::of(DType::kF32, {Dim(3), Dim(2)}));
  const ValueId i = g.add_input("i", Type::of(DType::kI32, {Dim(2)}));
  const auto node = g.add_node(Op::kGather, {x, i}, 1, {{"axis", int64_t{0}}});
  const NodeView view{g, g.node(*node)};
  ThreadPool pool(1);
  const auto kernel = cpu_backend().prepare(view, pool);
  const float data[6] = {1, 2, 3, 4, 5, 6};
  for (int32_t wrong : {3, -4}) {
    const int32_t index[] = {-1, wrong};
    float out[4];
    const TensorView in[] = {{DType::kF32, {3, 2}, data}, {DType::kI32, {2}, index}};
    TensorRef results[] = {{DType::kF32, {2, 2}, out}};
    Status failure(Code::kUnknown, "");
    KernelContext context{
        view.node, kernel->prepared.get(),
        in,        results,
        nullptr,   0,
        1,         {&failure, nullptr, nullptr, [](void* o, Status s) { *static_cast<Status*>(o) = std::move(s); }}};
    kernel->run(context);
    EXPECT_EQ(failure.code(), Code::kInvalidArgument);
    EXPECT_EQ(out[0], 5);
  }
}

}  // namespace
}  // namespace ingot

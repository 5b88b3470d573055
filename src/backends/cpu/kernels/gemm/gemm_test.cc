#include "backends/cpu/kernels/gemm/gemm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "backends/cpu/kernels/simd/float_isa.h"
#include "base/thread_pool.h"

namespace ingot {
namespace {

std::vector<float> random_floats(int64_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> value(-1, 1);
  std::vector<float> out(static_cast<size_t>(n));
  for (float& v : out) v = value(random);
  return out;
}

// How an operand is handed over.
struct Form {
  bool transposed, packed;
};
struct Case {
  int64_t m, n, k;
  Form a, b;
};

struct Operands {
  Case shape;
  std::vector<float> a, b, row_bias, column_bias, residual;

  explicit Operands(const Case& c)
      : shape(c),
        a(random_floats(c.m * c.k, 1)),
        b(random_floats(c.k * c.n, 2)),
        row_bias(random_floats(c.m, 3)),
        column_bias(random_floats(c.n, 4)),
        residual(random_floats(c.m * c.n, 5)) {}

  GemmA raw_a() const {
    if (shape.a.transposed) return {.data = a.data(), .row_step = 1, .k_step = shape.m};
    return {.data = a.data(), .row_step = shape.k, .k_step = 1};
  }
  GemmB raw_b() const {
    if (shape.b.transposed) return {.data = b.data(), .k_step = 1, .column_step = shape.k};
    return {.data = b.data(), .k_step = shape.n, .column_step = 1};
  }

  // Rows [row, row + count) of C.
  std::vector<float> run(Isa isa, int threads, Gemm extra = {}, int64_t row = 0, int64_t count = -1) const {
    ThreadPool pool(threads);
    if (count < 0) count = shape.m;
    Gemm g = extra;
    g.m = count;
    g.n = shape.n;
    g.k = shape.k;
    g.a = raw_a();
    g.a.data += row * g.a.row_step;
    g.b = raw_b();
    std::vector<float> pa(gemm_packed_a_floats(count, g.k)), pb(gemm_packed_b_floats(g.n, g.k, isa));
    pool.run([&](int t, int n) {
      if (shape.a.packed) pack_gemm_a(g.a, g.m, g.k, isa, pa.data(), t, n);
      if (shape.b.packed) pack_gemm_b(g.b, g.n, g.k, isa, pb.data(), t, n);
    });
    if (shape.a.packed) g.a = {.packed = pa.data()};
    if (shape.b.packed) g.b = {.packed = pb.data()};
    std::vector<float> c(static_cast<size_t>(count * g.n), NAN);
    g.c = c.data();
    g.ldc = g.n;
    if (g.row_bias) g.row_bias += row;
    std::vector<std::byte> scratch(gemm_scratch_bytes(threads) + 64);
    pool.run([&](int t, int n) { gemm(g, isa, scratch.data(), t, n); });
    return c;
  }

  double product(int64_t i, int64_t j, double* magnitude) const {
    double sum = 0;
    *magnitude = 0;
    for (int64_t l = 0; l < shape.k; ++l) {
      const double term =
          static_cast<double>(a[static_cast<size_t>(shape.a.transposed ? l * shape.m + i : i * shape.k + l)]) *
          b[static_cast<size_t>(shape.b.transposed ? j * shape.k + l : l * shape.n + j)];
      sum += term;
      *magnitude += std::fabs(term);
    }
    return sum;
  }
};

std::vector<Case> cases() {
  std::vector<Case> out;
  const int64_t sizes[][3] = {{1, 1, 1},   {1, 100, 300}, {2, 33, 7},   {3, 32, 0},    {13, 31, 257}, {14, 32, 256},
                              {15, 65, 9}, {29, 17, 513}, {64, 48, 40}, {400, 70, 19}, {37, 450, 33}};
  for (const auto& s : sizes)
    for (int form = 0; form < 16; ++form)
      out.push_back({s[0], s[1], s[2], {(form & 1) != 0, (form & 2) != 0}, {(form & 4) != 0, (form & 8) != 0}});
  return out;
}

TEST(Gemm, equals_the_sum_of_products_in_every_form_of_operands) {
  for (Isa isa : available_float_isas())
    for (const Case& c : cases()) {
      const Operands o(c);
      const std::vector<float> got = o.run(isa, 2);
      for (int64_t i = 0; i < c.m; ++i)
        for (int64_t j = 0; j < c.n; ++j) {
          double magnitude;
          const double want = o.product(i, j, &magnitude);
          ASSERT_NEAR(got[static_cast<size_t>(i * c.n + j)], want, 2e-6 * magnitude)
              << isa_name(isa) << " " << c.m << "x" << c.n << "x" << c.k << " at " << i << "," << j;
        }
    }
}

TEST(Gemm, adds_biases_and_residual_and_clamps) {
  for (Isa isa : available_float_isas()) {
    const Case c{17, 37, 300, {false, false}, {false, true}};
    const Operands o(c);
    Gemm g;
    g.alpha = 0.5f;
    g.row_bias = o.row_bias.data();
    g.column_bias = o.column_bias.data();
    g.residual = o.residual.data();
    g.act = {Act::kClip, -1.0f, 2.0f};
    const std::vector<float> got = o.run(isa, 2, g);
    for (int64_t i = 0; i < c.m; ++i)
      for (int64_t j = 0; j < c.n; ++j) {
        double magnitude;
        const size_t at = static_cast<size_t>(i * c.n + j);
        const double sum = 0.5 * o.product(i, j, &magnitude) + o.row_bias[static_cast<size_t>(i)] +
                           o.column_bias[static_cast<size_t>(j)] + o.residual[at];
        ASSERT_NEAR(got[at], std::min(2.0, std::max(-1.0, sum)), 2e-6 * (magnitude + 3)) << isa_name(isa);
      }
  }
}

TEST(Gemm, gives_the_same_bits_for_any_number_of_threads_and_any_packing) {
  for (Isa isa : available_float_isas()) {
    const Operands plain({70, 131, 600, {false, false}, {false, false}});
    const std::vector<float> want = plain.run(isa, 1);
    for (int threads : {1, 2, 3})
      for (int form = 0; form < 4; ++form) {
        Operands o({70, 131, 600, {false, (form & 1) != 0}, {false, (form & 2) != 0}});
        const std::vector<float> got = o.run(isa, threads);
        ASSERT_EQ(0, std::memcmp(got.data(), want.data(), want.size() * sizeof(float)))
            << isa_name(isa) << " threads " << threads << " form " << form;
      }
  }
}

TEST(Gemm, gives_a_row_the_same_bits_alone_and_among_others) {
  for (Isa isa : available_float_isas())
    for (int form = 0; form < 4; ++form) {
      const Operands o({64, 77, 520, {false, (form & 1) != 0}, {false, (form & 2) != 0}});
      const std::vector<float> all = o.run(isa, 2);
      for (const auto& [row, count] : {std::pair{0, 1}, {17, 1}, {5, 9}, {63, 1}}) {
        const std::vector<float> some = o.run(isa, 2, {}, row, count);
        ASSERT_EQ(0, std::memcmp(some.data(), all.data() + row * 77, some.size() * sizeof(float)))
            << isa_name(isa) << " row " << row;
      }
    }
}

TEST(Gemm, passes_nan_through_relu) {
  for (Isa isa : available_float_isas()) {
    Operands o({3, 40, 8, {false, false}, {false, false}});
    o.a[0] = NAN;
    Gemm g;
    g.act = {Act::kRelu};
    const std::vector<float> got = o.run(isa, 1, g);
    for (int j = 0; j < 40; ++j) {
      EXPECT_TRUE(std::isnan(got[static_cast<size_t>(j)])) << isa_name(isa);
      EXPECT_GE(got[static_cast<size_t>(40 + j)], 0);
    }
  }
}

}  // namespace
}  // namespace ingot

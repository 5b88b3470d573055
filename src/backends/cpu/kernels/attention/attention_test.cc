// Attention on every ISA against the reference kernel, and the bitwise rule of attention.h.
#include "backends/cpu/kernels/attention/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <barrier>
#include <cmath>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "backends/cpu/cpu.h"
#include "backends/cpu/kernels/simd/float_isa.h"
#include "backends/ref/ref.h"
#include "tensor/block_formats.h"

namespace ingot {
namespace {

struct Sequence {
  int64_t past, tokens;  // tokens in the cache before the step, and in it
};

struct Case {
  std::string name;
  int64_t heads = 4, kv_heads = 2, d = 64, page_tokens = 16;
  int64_t window = 0;
  float softcap = 0;
  bool sinks = false;
  DType kv = DType::kF32;
};

// Deterministic values of a sequence's row, independent of how it is batched.
void fill_row(uint32_t seed, int64_t position, std::span<float> out) {
  uint64_t state = (static_cast<uint64_t>(seed) << 32 | static_cast<uint64_t>(position)) * 0x9e3779b97f4a7c15u;
  for (float& f : out) {  // the sum of four uniform 16-bit numbers: about normal, deviation 1
    state = state * 6364136223846793005u + 1442695040888963407u;
    const uint64_t x = state ^ state >> 29;
    f = (static_cast<float>(x & 0xffff) + static_cast<float>(x >> 16 & 0xffff) + static_cast<float>(x >> 32 & 0xffff) +
         static_cast<float>(x >> 48) - 131070.0f) /
        37837.0f;
  }
}

// The caches and inputs of sequences, whose pages lie in the pool in a shuffled order.
class World {
 public:
  World(const Case& c, int64_t sequences, int64_t length_max) : c_(c), width_((length_max - 1) / c.page_tokens + 2) {
    const int64_t pages = sequences * width_ + 3;
    std::vector<int32_t> order(static_cast<size_t>(pages));
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int32_t>(i);
    std::ranges::shuffle(order, std::mt19937(5));
    table_.assign(order.begin(), order.begin() + sequences * width_);
    k_cache_ = Tensor::allocate(c.kv, {pages, c.page_tokens, c.kv_heads, c.d});
    v_cache_ = Tensor::allocate(c.kv, {pages, c.page_tokens, c.kv_heads, c.d});
    // Memory that nobody wrote is not a number.
    std::memset(k_cache_.mutable_view().data, 0xff, k_cache_.view().num_bytes());
    std::memset(v_cache_.mutable_view().data, 0xff, v_cache_.view().num_bytes());
    sinks_.resize(static_cast<size_t>(c.heads));
    fill_row(77, 0, sinks_);
  }

  // One step of backend `b` over parts of sequences; returns [sum of tokens, heads * d].
  struct Part {
    int64_t seq, past, tokens;
  };
  std::vector<float> step(const Backend& b, int threads, std::span<const Part> parts) {
    std::vector<int32_t> start = {0}, length, table;
    std::vector<float> q, k, v;
    for (const Part& p : parts) {
      start.push_back(start.back() + static_cast<int32_t>(p.tokens));
      length.push_back(static_cast<int32_t>(p.past + p.tokens));
      table.insert(table.end(), table_.begin() + p.seq * width_, table_.begin() + (p.seq + 1) * width_);
      for (int64_t t = p.past; t < p.past + p.tokens; ++t) {
        append(q, static_cast<uint32_t>(3 * p.seq), t, c_.heads * c_.d);
        append(k, static_cast<uint32_t>(3 * p.seq + 1), t, c_.kv_heads * c_.d);
        append(v, static_cast<uint32_t>(3 * p.seq + 2), t, c_.kv_heads * c_.d);
      }
    }
    const int64_t T = start.back(), B = static_cast<int64_t>(parts.size());
    std::vector<float> out(q.size());
    std::vector<TensorView> in = {{DType::kF32, {T, c_.heads * c_.d}, q.data()},
                                  {DType::kF32, {T, c_.kv_heads * c_.d}, k.data()},
                                  {DType::kF32, {T, c_.kv_heads * c_.d}, v.data()},
                                  k_cache_,
                                  v_cache_,
                                  {DType::kI32, {B + 1}, start.data()},
                                  {DType::kI32, {B}, length.data()},
                                  {DType::kI32, {B, width_}, table.data()}};
    if (c_.sinks) in.push_back({DType::kF32, {c_.heads}, sinks_.data()});
    run(b, threads, in, {DType::kF32, {T, c_.heads * c_.d}, out.data()});
    return out;
  }
  const Tensor& k_cache() const { return k_cache_; }

 private:
  static void append(std::vector<float>& to, uint32_t seed, int64_t position, int64_t n) {
    to.resize(to.size() + static_cast<size_t>(n));
    fill_row(seed, position, std::span(to).last(static_cast<size_t>(n)));
  }

  void run(const Backend& b, int threads, std::span<const TensorView> in, TensorRef out) const {
    Graph g;
    std::vector<ValueId> ids;
    for (size_t i = 0; i < in.size(); ++i) {
      const auto dims = in[i].shape.dims();
      const Type type = Type::of(in[i].dtype, Dims(dims.begin(), dims.end()));
      ids.push_back(i == 3 || i == 4 ? g.add_state("s" + std::to_string(i), type)
                                     : g.add_input("i" + std::to_string(i), type));
    }
    const auto made = g.add_node(Op::kPagedAttention, ids, 1,
                                 {{"heads", c_.heads},
                                  {"kv_heads", c_.kv_heads},
                                  {"head_dim", c_.d},
                                  {"window", c_.window},
                                  {"softcap", c_.softcap},
                                  {"scale", 1 / std::sqrt(static_cast<float>(c_.d))}});
    ASSERT_TRUE(made) << made.error().message();
    const NodeView view{g, g.node(*made)};
    ThreadPool none(1);
    ASSERT_TRUE(b.supports(view).ok) << b.supports(view).reason;
    const auto kernel = b.prepare(view, none);
    ASSERT_TRUE(kernel);
    const TensorView outputs[] = {out};
    const size_t bytes = kernel->scratch_bytes ? kernel->scratch_bytes({view.node, in, outputs, threads}) : 0;
    // Exactly as large as asked for, so that a sanitizer sees what passes its end; and not zero.
    const auto scratch = std::make_unique<std::byte[]>(bytes + 64);
    std::memset(scratch.get(), 0xff, bytes + 64);
    auto* aligned = reinterpret_cast<std::byte*>((reinterpret_cast<uintptr_t>(scratch.get()) + 63) / 64 * 64);
    std::barrier line(threads);
    auto body = [&](int thread) {
      TensorRef results[] = {out};
      KernelContext context{view.node,
                            kernel->prepared.get(),
                            in,
                            results,
                            aligned,
                            thread,
                            threads,
                            {&line, [](void* o) { static_cast<std::barrier<>*>(o)->arrive_and_wait(); }, nullptr,
                             [](void*, Status s) { ADD_FAILURE() << s.message(); }}};
      kernel->run(context);
    };
    std::vector<std::jthread> others;
    for (int t = 1; t < threads; ++t) others.emplace_back(body, t);
    body(0);
  }

  Case c_;
  int64_t width_;
  std::vector<int32_t> table_;
  Tensor k_cache_, v_cache_;
  std::vector<float> sinks_;
};

std::vector<Case> all_cases() {
  return {{"plain"},
          {"mha_d16", 3, 3, 16, 16},
          {"mqa_d8", 8, 1, 8, 4},
          {"gqa5_d40", 5, 1, 40, 1},
          {"gqa3_d24_f16", 6, 2, 24, 32, 0, 0, false, DType::kF16},
          {"gqa8_d128_f16", 8, 1, 128, 16, 0, 0, false, DType::kF16},
          {"d256_bf16", 4, 1, 256, 16, 0, 0, false, DType::kBF16},
          {"d72_bf16_odd_pages", 2, 1, 72, 7, 0, 0, false, DType::kBF16},
          {"q8_0", 4, 4, 64, 16, 0, 0, false, DType::kQ8_0},
          {"q4_0_d96", 6, 3, 96, 16, 0, 0, false, DType::kQ4_0},
          {"window", 4, 2, 32, 16, 37, 0, false, DType::kF16},
          {"window_one", 2, 1, 32, 16, 1, 0, true},
          {"window_300_sinks", 8, 2, 64, 16, 300, 0, true, DType::kF16},
          {"softcap", 7, 1, 48, 16, 0, 20, false, DType::kF16},
          {"softcap_window_sinks", 4, 2, 80, 16, 100, 5, true, DType::kBF16}};
}

class Attention : public testing::TestWithParam<std::tuple<Isa, Case>> {
 protected:
  void SetUp() override { ASSERT_TRUE(set_isa(std::get<0>(GetParam()))); }
  void TearDown() override { set_isa(detected_isa()); }
};

// Prompts, chunks after a past and single tokens in one batch, then another such step.
const std::vector<std::vector<World::Part>> kSteps = {{{0, 0, 1}, {1, 0, 300}, {2, 0, 67}, {3, 0, 255}, {4, 0, 24}},
                                                      {{3, 255, 1}, {0, 1, 1}, {1, 300, 40}, {2, 67, 6}, {4, 24, 290}},
                                                      {{1, 340, 1}, {4, 314, 1}, {3, 256, 2}, {2, 73, 1}, {0, 2, 1}}};

// Tolerance: 2e-5 of the largest magnitude of the result for float32 sums of up to 400 products of order 1; what the
// cache holds is the same bytes on both sides.
TEST_P(Attention, agrees_with_the_reference_on_a_ragged_batch) {
  const Case& c = std::get<1>(GetParam());
  World mine(c, 5, 400), reference(c, 5, 400);
  for (const auto& parts : kSteps) {
    const std::vector<float> got = mine.step(cpu_backend(), 2, parts), want = reference.step(ref_backend(), 1, parts);
    ASSERT_EQ(got.size(), want.size());
    float worst = 0, largest = 0;
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_TRUE(std::isfinite(got[i])) << i;
      worst = std::max(worst, std::fabs(got[i] - want[i]));
      largest = std::max(largest, std::fabs(want[i]));
    }
    EXPECT_LT(worst, 2e-5f * largest);
  }
  EXPECT_EQ(0,
            std::memcmp(mine.k_cache().view().data, reference.k_cache().view().data, mine.k_cache().view().num_bytes()))
      << "the cache holds other bytes";
}

TEST_P(Attention, gives_the_same_bits_in_chunks_on_any_threads_and_in_any_batch) {
  const Case& c = std::get<1>(GetParam());
  constexpr int64_t kTokens = 610;
  const int64_t row = c.heads * c.d;
  World whole(c, 1, kTokens);
  const std::vector<float> all = whole.step(cpu_backend(), 1, std::vector<World::Part>{{0, 0, kTokens}});
  for (int threads : {1, 2, 3})
    for (int64_t chunk : {1, 3, 17, 100, 610}) {
      if (chunk == 1 && threads == 2) continue;
      World parts(c, 1, kTokens);
      for (int64_t t = 0; t < kTokens; t += chunk) {
        const int64_t n = std::min(chunk, kTokens - t);
        const std::vector<float> part = parts.step(cpu_backend(), threads, std::vector<World::Part>{{0, t, n}});
        ASSERT_EQ(0, std::memcmp(part.data(), all.data() + t * row, part.size() * sizeof(float)))
            << "tokens " << t << " + " << n << " on " << threads << " threads";
      }
    }
  for (int64_t batch : {2, 3, 5, 8, 17}) {
    World many(c, batch, kTokens);
    std::vector<World::Part> prompts, tokens;
    for (int64_t s = 0; s < batch; ++s) {
      const int64_t length = s == 0 ? kTokens - 1 : 29 * s;  // sequence 0 is the one above
      prompts.push_back({s, 0, length});
      tokens.push_back({s, length, 1});
    }
    std::ranges::rotate(prompts, prompts.begin() + 1);
    std::ranges::rotate(tokens, tokens.begin() + 1);
    const std::vector<float> first = many.step(cpu_backend(), 3, prompts);
    const size_t n = static_cast<size_t>((kTokens - 1) * row);
    ASSERT_EQ(0, std::memcmp(first.data() + first.size() - n, all.data(), n * sizeof(float))) << "batch " << batch;
    const std::vector<float> last = many.step(cpu_backend(), 2, tokens);
    ASSERT_EQ(0, std::memcmp(last.data() + (batch - 1) * row, all.data() + n, static_cast<size_t>(row) * sizeof(float)))
        << "decoding in a batch of " << batch;
  }
}

INSTANTIATE_TEST_SUITE_P(, Attention,
                         testing::Combine(testing::ValuesIn(available_float_isas()), testing::ValuesIn(all_cases())),
                         [](const auto& p) {
                           std::string isa(isa_name(std::get<0>(p.param)));
                           return isa + "_" + std::get<1>(p.param).name;
                         });

}  // namespace
}  // namespace ingot

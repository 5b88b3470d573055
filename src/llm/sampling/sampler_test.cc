// The sampler against what can be computed by hand: distributions, seeds, masks, bad input.
#include "llm/sampling/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>

#include "base/cpu_features.h"
#include "llm/sampling/dense_kernels.h"
#include "llm/sampling/dense_math.h"
#include "llm/sampling/philox.h"

namespace ingot::llm {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
const float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> random_logits(size_t size, uint32_t seed, float scale = 3) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> x(size);
  for (float& v : x) v = normal(rng);
  return x;
}

SamplerParams plain() {
  SamplerParams p;
  p.order = {};
  p.temperature = 1;
  p.seed = 42;
  return p;
}

Sampler make(const SamplerParams& p, size_t size, std::vector<Token> eog = {}) {
  auto s = Sampler::create(p, {static_cast<int64_t>(size), std::move(eog), nullptr});
  EXPECT_TRUE(s) << s.error().message();
  return std::move(*s);
}

std::string refusal(const SamplerParams& p) {
  const auto r = validate(p);
  return r ? "" : r.error().message();
}

// Pearson's statistic of n draws against p; its mean is the number of classes - 1.
double chi_square(const std::map<Token, int>& counts, const std::vector<double>& p, int n) {
  double sum = 0;
  for (size_t t = 0; t < p.size(); ++t) {
    const auto at = counts.find(static_cast<Token>(t));
    const double seen = at == counts.end() ? 0 : at->second;
    if (p[t] == 0) {
      EXPECT_EQ(seen, 0) << t;
      continue;
    }
    const double wanted = n * p[t];
    sum += (seen - wanted) * (seen - wanted) / wanted;
  }
  return sum;
}

std::map<Token, int> draw(Sampler& sampler, std::span<const float> logits, int n) {
  std::map<Token, int> counts;
  for (int i = 0; i < n; ++i) {
    const auto s = sampler.sample(logits);
    EXPECT_TRUE(s);
    ++counts[s->id];
    sampler.accept(s->id);
  }
  return counts;
}

TEST(philox, equals_the_published_test_vectors) {
  // Random123's known answers for philox4x32, 10 rounds.
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(dense_math, exp_is_within_two_units_of_the_exact_value) {
  for (float x = 0; x > -87; x -= 0.00137f) {
    const double exact = std::exp(static_cast<double>(x));
    EXPECT_NEAR(exp_negative(x) / exact, 1, 2.4e-7) << x;
  }
  EXPECT_EQ(exp_negative(0.0f), 1.0f);
  EXPECT_EQ(exp_negative(-1000.0f), 0.0f);
  EXPECT_EQ(exp_negative(kNan), 0.0f);
}

TEST(dense_math, row_passes_agree_with_plain_loops_at_odd_sizes) {
  for (size_t size : {1, 7, 31, 32, 33, 1023, 1024, 1025, 5000}) {
    std::vector<float> x = random_logits(size, static_cast<uint32_t>(size));
    x[size / 2] = kNan;
    if (size > 2) x[size - 1] = x[0] = 50;
    const int64_t best = argmax(x);
    EXPECT_EQ(best, size > 2 ? 0 : size == 1 ? -1 : 0) << size;
    if (best < 0) continue;
    double sum = 0;
    for (float v : x) sum += std::isnan(v) ? 0 : std::exp(static_cast<double>(v) - 50);
    EXPECT_NEAR(sum_exp(x, 50), sum, 1e-6 * sum);
  }
}

#if defined(__x86_64__)
TEST(dense_math, all_instruction_sets_give_the_same_bits) {
  if (!isa_includes(detected_isa(), Isa::kAvx2)) GTEST_SKIP() << "needs AVX2";
  for (size_t size : {1, 31, 64, 1023, 1024, 4097, 100'000}) {
    const std::vector<float> x = random_logits(size, static_cast<uint32_t>(size));
    const float max = x[static_cast<size_t>(argmax(x))];
    EXPECT_EQ(kDenseBaseline.argmax(x), kDenseAvx2.argmax(x));
    EXPECT_EQ(kDenseBaseline.sum_exp(x, max), kDenseAvx2.sum_exp(x, max));
    EXPECT_EQ(kDenseBaseline.skip_below(x, 0, max * 0.9f), kDenseAvx2.skip_below(x, 0, max * 0.9f));
  }
}
#endif

TEST(sampler, zero_temperature_takes_the_greatest_and_the_first_of_equals) {
  SamplerParams p;
  p.temperature = 0;
  p.xtc_probability = 1;  // would drop the likeliest
  Sampler s = make(p, 3000);
  std::vector<float> x = random_logits(3000, 1);
  x[1700] = x[2999] = x[2100] = 99;
  EXPECT_EQ(s.sample(x)->id, 1700);
  x[5] = kNan;
  x[6] = kInf;
  EXPECT_EQ(s.sample(x)->id, 6);
}

TEST(sampler, draws_follow_the_softmax) {
  const std::vector<float> x = random_logits(30, 2, 1);
  Sampler s = make(plain(), x.size());
  std::vector<double> p;
  double sum = 0;
  for (float v : x) sum += std::exp(static_cast<double>(v));
  for (float v : x) p.push_back(std::exp(static_cast<double>(v)) / sum);
  // 29 degrees of freedom: 66 is passed with probability 1e-4.
  EXPECT_LT(chi_square(draw(s, x, 200'000), p, 200'000), 66);
}

TEST(sampler, draws_follow_the_truncated_and_tempered_distribution) {
  const std::vector<float> x = random_logits(500, 3, 2);
  SamplerParams params;
  params.seed = 7;
  params.top_k = 12;
  params.top_p = 1;
  params.min_p = 0;
  params.temperature = 1.5f;
  Sampler s = make(params, x.size());
  std::vector<float> sorted = x;
  std::ranges::sort(sorted, std::greater<>());
  std::vector<double> p;
  double sum = 0;
  for (float v : x) p.push_back(v >= sorted[11] ? std::exp(v / 1.5) : 0), sum += p.back();
  for (double& v : p) v /= sum;
  EXPECT_LT(chi_square(draw(s, x, 200'000), p, 200'000), 35);  // 11 degrees: 1e-4 at 37
}

TEST(sampler, xtc_acts_as_often_as_its_probability_says) {
  const std::vector<float> x = {2, 2, 1, 0};
  SamplerParams params = plain();
  params.order = {SamplerStep::kXtc};
  params.xtc_probability = 0.25f;
  params.xtc_threshold = 0.3f;
  Sampler s = make(params, x.size());
  int acted = 0;
  for (int i = 0; i < 40'000; ++i) {
    s.accept(s.sample(x)->id);
    acted += s.candidates().size() == 3;
  }
  EXPECT_NEAR(acted, 10'000, 350);  // 4 standard deviations
}

TEST(sampler, one_seed_gives_one_sequence) {
  const std::vector<float> x = random_logits(5000, 4);
  SamplerParams p;
  p.seed = 123;
  const auto run = [&](SamplerParams params) {
    Sampler s = make(params, x.size());
    std::vector<Token> out;
    for (int i = 0; i < 16; ++i) s.accept(out.emplace_back(s.sample(x)->id));
    return out;
  };
  EXPECT_EQ(run(p), run(p));
  SamplerParams other = p;
  other.seed = 124;
  EXPECT_NE(run(p), run(other));
  other.seed.reset();
  EXPECT_NE(run(other), run(other));
}

TEST(sampler, one_seed_gives_the_tokens_that_were_written_down) {
  // Guards "same tokens on every machine": exact sums, no library's random numbers or e^x.
  std::vector<float> x(200);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 37 % 101) / 25;
  SamplerParams p;
  p.seed = 2026;
  Sampler s = make(p, x.size());
  std::vector<Token> out;
  for (int i = 0; i < 10; ++i) s.accept(out.emplace_back(s.sample(x)->id));
  EXPECT_EQ(out, (std::vector<Token>{139, 150, 158, 106, 90, 60, 136, 76, 120, 90}));
}

TEST(sampler, a_large_row_gives_the_same_candidates_as_sorting_it) {
  const std::vector<float> x = random_logits(100'000, 5, 2);
  std::vector<Candidate> all;
  for (size_t i = 0; i < x.size(); ++i) all.push_back({x[i], 0, static_cast<Token>(i)});
  std::ranges::sort(all, likelier);
  double sum = 0;
  for (const Candidate& c : all) sum += std::exp(static_cast<double>(c.logit));
  for (double mass : {0.05, 0.5, 0.97}) {
    SamplerParams p = plain();
    p.order = {SamplerStep::kTopP};
    p.top_p = static_cast<float>(mass);
    Sampler s = make(p, x.size());
    ASSERT_TRUE(s.sample(x));
    size_t n = 0;
    for (double m = 0; m < static_cast<double>(p.top_p); ++n) {
      m += std::exp(static_cast<double>(all[n].logit)) / sum;
    }
    EXPECT_NEAR(static_cast<double>(s.candidates().size()), static_cast<double>(n), n * 1e-4 + 1);
    for (size_t i = 0; i < s.candidates().size(); ++i) ASSERT_EQ(s.candidates()[i].id, all[i].id);
  }
  for (int32_t k : {1, 40, 3000, 60'000}) {
    SamplerParams p = plain();
    p.order = {SamplerStep::kTopK};
    p.top_k = k;
    Sampler s = make(p, x.size());
    ASSERT_TRUE(s.sample(x));
    ASSERT_EQ(s.candidates().size(), static_cast<size_t>(k));
    for (size_t i = 0; i < s.candidates().size(); ++i) ASSERT_EQ(s.candidates()[i].id, all[i].id);
  }
}

TEST(sampler, equal_logits_are_kept_by_token_id) {
  const std::vector<float> x(1000, 1.0f);
  SamplerParams p = plain();
  p.order = {SamplerStep::kTopK};
  p.top_k = 5;
  Sampler s = make(p, x.size());
  ASSERT_TRUE(s.sample(x));
  for (Token t = 0; t < 5; ++t) EXPECT_EQ(s.candidates()[static_cast<size_t>(t)].id, t);
}

TEST(sampler, only_allowed_tokens_are_chosen) {
  const std::vector<float> x = random_logits(130, 6);
  std::vector<uint64_t> mask(3, 0);
  mask[1] = 0b1010;
  mask[2] = 0b10;
  for (float temperature : {0.0f, 1.0f}) {
    SamplerParams p;
    p.temperature = temperature;
    Sampler s = make(p, x.size());
    for (int i = 0; i < 50; ++i) {
      const Token t = s.sample(x, mask)->id;
      EXPECT_TRUE(t == 65 || t == 67 || t == 129) << t;
      s.accept(t);
    }
  }
}

TEST(sampler, end_tokens_wait_for_min_tokens_unless_only_they_are_allowed) {
  std::vector<float> x = random_logits(64, 7);
  x[9] = 50;
  SamplerParams p;
  p.temperature = 0;
  p.min_tokens = 3;
  Sampler s = make(p, x.size(), {9});
  for (int i = 0; i < 3; ++i) {
    const Token t = s.sample(x)->id;
    EXPECT_NE(t, 9);
    s.accept(t);
  }
  EXPECT_EQ(s.sample(x)->id, 9);
  p.ignore_eos = true;
  Sampler never = make(p, x.size(), {9});
  EXPECT_NE(never.sample(x)->id, 9);
  const std::vector<uint64_t> only_end = {1 << 9};
  EXPECT_EQ(never.sample(x, only_end)->id, 9);
}

TEST(sampler, log_probabilities_are_those_of_the_raw_logits) {
  const std::vector<float> x = random_logits(2000, 8);
  SamplerParams p;
  p.logprobs = 4;
  p.logit_bias = {{17, 100.0f}};
  p.temperature = 0.1f;
  Sampler s = make(p, x.size());
  double sum = 0;
  for (float v : x) sum += std::exp(static_cast<double>(v));
  const auto out = s.sample(x);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->id, 17);
  EXPECT_NEAR(*out->logprob, x[17] - std::log(sum), 1e-5);
  ASSERT_EQ(out->top.size(), 4u);
  std::vector<float> sorted = x;
  std::ranges::sort(sorted, std::greater<>());
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(x[static_cast<size_t>(out->top[i].id)], sorted[i]);
    EXPECT_NEAR(out->top[i].logprob, sorted[i] - std::log(sum), 1e-5);
  }
}

TEST(sampler, rows_without_a_usable_logit_are_an_error_and_never_a_crash) {
  SamplerParams all;
  all.top_n_sigma = 1;
  all.typical_p = 0.9f;
  all.xtc_probability = 1;
  all.dynatemp_range = 0.5f;
  all.repeat_penalty = 1.2f;
  all.logprobs = 5;
  SamplerParams greedy = all;
  greedy.temperature = 0;
  greedy.dynatemp_range = 0;
  SamplerParams mirostat1 = all, mirostat2 = all;
  mirostat1.mirostat = 1;
  mirostat2.mirostat = 2;
  for (const SamplerParams& p : {all, greedy, mirostat1, mirostat2, plain()}) {
    for (float value : {kNan, -kInf}) {
      Sampler s = make(p, 100);
      const auto out = s.sample(std::vector<float>(100, value));
      ASSERT_FALSE(out);
      EXPECT_EQ(out.error().code(), Code::kFailedPrecondition);
    }
    for (float value : {kInf, 0.0f, 3e38f, -3e38f}) {
      Sampler s = make(p, 100);
      std::vector<float> x(100, value);
      x[3] = kNan;
      const auto out = s.sample(x);
      ASSERT_TRUE(out) << out.error().message();
      EXPECT_NE(out->id, 3);
      s.accept(out->id);
    }
  }
  Sampler s = make(all, 100);
  EXPECT_EQ(s.sample(std::vector<float>(99, 0)).error().code(), Code::kInvalidArgument);
}

TEST(sampler, bad_values_are_refused_with_the_name_and_the_range) {
  SamplerParams p;
  EXPECT_EQ(refusal(p), "");
  p.temperature = -1;
  EXPECT_EQ(refusal(p), "[sampler] 'temperature': -1 is out of range; give a number from 0 to 1000");
  p = {};
  p.top_p = kNan;
  EXPECT_NE(refusal(p).find("'top_p': nan"), std::string::npos);
  p = {};
  p.mirostat = 3;
  EXPECT_NE(refusal(p).find("'mirostat': 3"), std::string::npos);
  p = {};
  p.repeat_penalty = 0;
  EXPECT_NE(refusal(p).find("'repeat_penalty': 0"), std::string::npos);
  p = {};
  p.logit_bias = {{5, kInf}};
  EXPECT_NE(refusal(p).find("'logit_bias': token 5"), std::string::npos);
  p.logit_bias = {{5, 1.0f}};
  EXPECT_FALSE(Sampler::create(p, {5, {}, nullptr}));
  EXPECT_FALSE(parse_sampler_order("top_k;nonsense"));
  EXPECT_FALSE(parse_sampler_order("top_k;top-k"));
  EXPECT_EQ(sampler_order_text(SamplerParams{}.order),
            "penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature");
  EXPECT_EQ(*parse_sampler_order(sampler_order_text(SamplerParams{}.order)), SamplerParams{}.order);
}

TEST(dry_breakers, a_string_is_found_inside_and_across_tokens) {
  const std::vector<std::string> vocab = {"a", "\n", "x\n", "foo", "en", "d", "the en", "nd", "e"};
  const std::vector<std::string> strings = {"\n", "end"};
  const auto tokenize = [&](std::string_view text) -> Result<std::vector<Token>> {
    if (text == "nd") return std::vector<Token>{7};
    if (text == "d") return std::vector<Token>{5};
    return invalid("unexpected");
  };
  const auto breakers = DryBreakers::build(
      strings, static_cast<int64_t>(vocab.size()), [&](Token t) { return vocab[static_cast<size_t>(t)]; }, tokenize);
  ASSERT_TRUE(breakers);
  const DryBreakers& b = **breakers;
  EXPECT_TRUE(b.breaks_alone(1));
  EXPECT_TRUE(b.breaks_alone(2));
  EXPECT_FALSE(b.breaks_alone(0));
  EXPECT_FALSE(b.breaks_alone(6));
  EXPECT_EQ(b.match(std::vector<Token>{6, 5}, 0), 2u);
  EXPECT_EQ(b.match(std::vector<Token>{4, 5}, 0), 2u);
  EXPECT_EQ(b.match(std::vector<Token>{8, 7}, 0), 2u);
  EXPECT_EQ(b.match(std::vector<Token>{6, 0}, 0), 0u);
  EXPECT_EQ(b.match(std::vector<Token>{0, 6}, 1), 0u);
}

// The candidates' logits behind a chain of the penalties alone: [V], before the draw.
std::vector<float> penalized(SamplerParams p, std::vector<Token> prompt, std::vector<Token> answer) {
  p.order = {SamplerStep::kPenalties};
  Sampler s = make(p, 4);
  s.accept_prompt(prompt);
  for (const Token t : answer) s.accept(t);
  const std::vector<float> logits = {1, 1, 1, 1};
  EXPECT_TRUE(s.sample(logits));
  std::vector<float> out(4);
  for (const Candidate& c : s.candidates()) out[static_cast<size_t>(c.id)] = std::log(c.p);
  for (float& v : out) v -= out[3];  // what nobody said
  return out;
}

TEST(Penalties, presence_and_frequency_may_leave_the_prompt_out) {
  SamplerParams p = plain();
  p.repeat_last_n = -1;
  p.presence_penalty = 0.5f;
  p.frequency_penalty = 0.25f;
  const auto both = penalized(p, {0, 0, 1}, {1, 2});
  EXPECT_NEAR(both[0], -1.0f, 1e-5);
  EXPECT_NEAR(both[1], -1.0f, 1e-5);
  p.prompt_counts = false;
  const auto answer = penalized(p, {0, 0, 1}, {1, 2});
  EXPECT_NEAR(answer[0], 0.0f, 1e-5);
  EXPECT_NEAR(answer[1], -0.75f, 1e-5);
  EXPECT_NEAR(answer[2], -0.75f, 1e-5);
  p.repeat_last_n = 2;  // the window moves from the prompt into the answer
  const auto window = penalized(p, {0, 0, 1}, {1, 2, 2});
  EXPECT_NEAR(window[1], 0.0f, 1e-5);
  EXPECT_NEAR(window[2], -1.0f, 1e-5);
}

TEST(Penalties, repetition_counts_the_prompt_in_either_case) {
  SamplerParams p = plain();
  p.repeat_penalty = 2;
  p.prompt_counts = false;
  EXPECT_NEAR(penalized(p, {0}, {1})[0], -0.5f, 1e-5);
  EXPECT_NEAR(penalized(p, {0}, {1})[1], -0.5f, 1e-5);
}

}  // namespace
}  // namespace ingot::llm

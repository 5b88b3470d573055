// The sampler against llama.cpp's own samplers: tests/goldens/sampler.json, made by make_sampler.py.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <fstream>
#include <sstream>

#include "llm/sampling/sampler.h"

namespace ingot::llm {
namespace {

namespace json = boost::json;

const json::object& goldens() {
  static const json::value value = [] {
    std::ifstream in(INGOT_SOURCE_DIR "/tests/goldens/sampler.json");
    std::ostringstream text;
    text << in.rdbuf();
    return json::parse(text.str());
  }();
  return value.as_object();
}

std::vector<float> row(const json::value& index) {
  std::vector<float> logits;
  for (const json::value& x : goldens().at("logits").at(index.to_number<size_t>()).as_array()) {
    logits.push_back(x.to_number<float>());
  }
  return logits;
}

std::vector<Token> tokens(const json::value& list) {
  std::vector<Token> out;
  for (const json::value& t : list.as_array()) out.push_back(t.to_number<Token>());
  return out;
}

SamplerParams params_of(const json::object& o) {
  SamplerParams p;
  p.order = *parse_sampler_order(std::string_view(o.at("order").as_string()));
  const auto f = [&](const char* name, float& out) {
    if (const json::value* v = o.if_contains(name)) out = v->to_number<float>();
  };
  const auto i = [&](const char* name, int32_t& out) {
    if (const json::value* v = o.if_contains(name)) out = v->to_number<int32_t>();
  };
  p.temperature = 1;
  f("temperature", p.temperature);
  f("dynatemp_range", p.dynatemp_range);
  f("dynatemp_exponent", p.dynatemp_exponent);
  i("top_k", p.top_k);
  f("top_p", p.top_p);
  f("min_p", p.min_p);
  f("typical_p", p.typical_p);
  f("top_n_sigma", p.top_n_sigma);
  f("xtc_probability", p.xtc_probability);
  f("xtc_threshold", p.xtc_threshold);
  i("min_keep", p.min_keep);
  i("repeat_last_n", p.repeat_last_n);
  f("repeat_penalty", p.repeat_penalty);
  f("frequency_penalty", p.frequency_penalty);
  f("presence_penalty", p.presence_penalty);
  f("dry_multiplier", p.dry_multiplier);
  f("dry_base", p.dry_base);
  i("dry_allowed_length", p.dry_allowed_length);
  i("dry_penalty_last_n", p.dry_penalty_last_n);
  if (const json::value* biases = o.if_contains("logit_bias")) {
    for (const json::value& b : biases->as_array()) {
      p.logit_bias.emplace_back(b.at(0).to_number<Token>(), b.at(1).to_number<float>());
    }
  }
  p.seed = 1;
  return p;
}

void expect_same(std::span<const Candidate> candidates, const json::value& golden, const std::string& name) {
  std::vector<Candidate> ours(candidates.begin(), candidates.end());
  std::erase_if(ours, [](const Candidate& c) { return c.p <= 1e-9f; });
  std::ranges::sort(ours, {}, &Candidate::id);
  std::vector<Token> ids;
  for (const Candidate& c : ours) ids.push_back(c.id);
  ASSERT_EQ(ids, tokens(golden.at("ids"))) << name;
  for (size_t i = 0; i < ours.size(); ++i) {
    const auto p = golden.at("p").at(i).to_number<double>();
    EXPECT_NEAR(ours[i].p, p, 2e-5 * p + 1e-8) << name << ", token " << ours[i].id;
  }
}

TEST(sampler_golden, candidates_and_probabilities_equal_llama_cpp) {
  size_t count = 0;
  for (const json::value& c : goldens().at("cases").as_array()) {
    std::vector<std::vector<Token>> breakers;
    for (const json::value& b : c.at("breakers").as_array()) breakers.push_back(tokens(b));
    const std::vector<float> logits = row(c.at("row"));
    auto sampler = Sampler::create(params_of(c.at("params").as_object()),
                                   {static_cast<int64_t>(logits.size()), {}, DryBreakers::from_sequences(breakers)});
    ASSERT_TRUE(sampler) << sampler.error().message();
    sampler->accept_prompt(tokens(c.at("history")));
    ASSERT_TRUE(sampler->sample(logits));
    const std::string name = json::serialize(c.at("name")) + " row " + json::serialize(c.at("row"));
    expect_same(sampler->candidates(), c, name);
    if (HasFatalFailure()) return;
    ++count;
  }
  EXPECT_GT(count, 100u);
}

TEST(sampler_golden, mirostat_follows_llama_cpp_over_several_tokens) {
  for (const json::value& run : goldens().at("mirostat").as_array()) {
    SamplerParams p;
    p.temperature = 1;
    p.mirostat = run.at("version").to_number<int32_t>();
    p.mirostat_tau = run.at("tau").to_number<float>();
    p.mirostat_eta = run.at("eta").to_number<float>();
    auto sampler = Sampler::create(p, {100, {}, nullptr});
    ASSERT_TRUE(sampler);
    for (const json::value& step : run.at("steps").as_array()) {
      ASSERT_TRUE(sampler->sample(row(step.at("row"))));
      expect_same(sampler->candidates(), step, json::serialize(run.at("version")));
      if (HasFatalFailure()) return;
      sampler->accept(step.at("selected").to_number<Token>());
    }
  }
}

}  // namespace
}  // namespace ingot::llm

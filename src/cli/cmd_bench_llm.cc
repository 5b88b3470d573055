// `ingot bench llm MODEL`: prompt processing (pp), text generation (tg) and batched decode, as tables or JSON lines.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <memory>
#include <random>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/infer/bench_model.h"
#include "cli/load/bench_serve.h"
#include "cli/model_options.h"
#include "cli/option_checks.h"
#include "cli/table.h"

namespace ingot::cli {
namespace {

namespace json = boost::json;

constexpr int64_t kPrefillChunk = 512;
constexpr int64_t kTokensMax = int64_t{1} << 24, kBatchMax = 4096;

struct Options {
  ModelOptions model;
  std::vector<int64_t> prompts = {512}, generates = {128}, batches = {1}, depths = {0};
  int repetitions = 5;
  bool json_output = false, profile = false;
};

struct Test {
  int64_t prompt, generate, batch, depth;
  std::string name() const { return prompt ? fmt::format("pp{}", prompt) : fmt::format("tg{}", generate); }
  int64_t tokens() const { return (prompt + generate) * batch; }
};

double median(std::vector<double> v) {
  std::ranges::sort(v);
  return v.size() % 2 ? v[v.size() / 2] : (v[v.size() / 2 - 1] + v[v.size() / 2]) / 2;
}

class Bench {
 public:
  Bench(llm::LoadedModel& model, const Options& options) : runner_(*model.runner), o_(options) {}

  Result<void> run(const Test& test) {
    std::vector<double> tps;
    std::vector<SeqId> seqs;
    for (int64_t b = 0; b < test.batch; ++b) {
      seqs.push_back(runner_.add_sequence());
      INGOT_TRY(prefill(seqs.back(), test.depth));
    }
    for (int i = 0; i <= o_.repetitions; ++i) {
      const double ms = INGOT_TRY(once(test, seqs));
      if (i > 0) tps.push_back(1000.0 * static_cast<double>(test.tokens()) / ms);  // the first one warms up
    }
    for (SeqId s : seqs) runner_.remove_sequence(s);
    if (o_.json_output)
      print_json(test, tps);
    else
      table_.add({test.name(), std::to_string(test.batch), std::to_string(test.depth),
                  std::to_string(runner_.session().pool().size()), fmt::format("{:.2f}", median(tps)),
                  fmt::format("{:.2f}", *std::ranges::min_element(tps)),
                  fmt::format("{:.2f}", *std::ranges::max_element(tps))});
    return {};
  }

  void print_table() const {
    if (!o_.json_output) fmt::print("{}", table_.text());
  }

  // Which steps of a plan cost what, in one decode step and one prompt chunk.
  Result<void> profile() {
    for (const int64_t tokens : {int64_t{1}, kPrefillChunk}) {
      const SeqId seq = runner_.add_sequence();
      const auto ids = random_tokens(std::min(tokens, runner_.context()));
      const Chunk chunk{seq, ids, 1};
      Profile profile;
      INGOT_TRY(runner_.step(std::span(&chunk, 1)));
      runner_.truncate(seq, 0);
      INGOT_TRY(runner_.step(std::span(&chunk, 1), &profile));
      runner_.remove_sequence(seq);
      print_profile(profile, tokens);
    }
    return {};
  }

 private:
  std::vector<int32_t> random_tokens(int64_t n) {
    std::vector<int32_t> out(static_cast<size_t>(n));
    for (int32_t& t : out) t = static_cast<int32_t>(random_() % static_cast<uint64_t>(runner_.vocab()));
    return out;
  }

  Result<void> prefill(SeqId seq, int64_t n) {
    for (int64_t at = 0; at < n; at += kPrefillChunk) {
      const auto ids = random_tokens(std::min(kPrefillChunk, n - at));
      const Chunk chunk{seq, ids, at + kPrefillChunk >= n ? 1 : 0};
      INGOT_TRY(runner_.step(std::span(&chunk, 1)));
    }
    return {};
  }

  // Leaves the sequences at the test's depth, as it finds them.
  Result<double> once(const Test& test, const std::vector<SeqId>& seqs) {
    const Stopwatch watch;
    for (SeqId s : seqs) INGOT_TRY(prefill(s, test.prompt));
    for (int64_t i = 0; i < test.generate; ++i) {
      const auto ids = random_tokens(test.batch);
      std::vector<Chunk> chunks;
      for (size_t b = 0; b < seqs.size(); ++b) chunks.push_back({seqs[b], std::span(&ids[b], 1), 1});
      INGOT_TRY(runner_.step(chunks));
    }
    const double ms = watch.elapsed_ms();
    for (SeqId s : seqs) runner_.truncate(s, test.depth);
    return ms;
  }

  void print_json(const Test& test, const std::vector<double>& tps) const {
    fmt::print("{}\n", json::serialize(json::object{{"test", test.name()},
                                                    {"n_prompt", test.prompt},
                                                    {"n_gen", test.generate},
                                                    {"batch", test.batch},
                                                    {"depth", test.depth},
                                                    {"threads", runner_.session().pool().size()},
                                                    {"tps_median", median(tps)},
                                                    {"tps_samples", json::array(tps.begin(), tps.end())}}));
    std::fflush(stdout);
  }

  void print_profile(const Profile& profile, int64_t tokens) const {
    std::map<std::string, std::pair<int64_t, int64_t>> kernels;  // ns, calls
    int64_t total = 0;
    for (const StepTime& s : profile.steps) {
      auto& [ns, calls] = kernels[s.plan->steps()[s.step].kernel.name];
      ns += s.nanoseconds;
      ++calls;
      total += s.nanoseconds;
    }
    std::vector<std::pair<std::string, std::pair<int64_t, int64_t>>> sorted(kernels.begin(), kernels.end());
    std::ranges::sort(sorted, [](const auto& a, const auto& b) { return a.second.first > b.second.first; });
    Table table({"kernel", ">calls", ">ms", ">%"});
    for (const auto& [name, cost] : sorted)
      table.add({name, std::to_string(cost.second), fmt::format("{:.3f}", static_cast<double>(cost.first) / 1e6),
                 fmt::format("{:.1f}", 100.0 * static_cast<double>(cost.first) / static_cast<double>(total))});
    fmt::print("\n{} tokens, {:.3f} ms\n{}", tokens, static_cast<double>(total) / 1e6, table.text());
  }

  ModelRunner& runner_;
  const Options& o_;
  std::mt19937_64 random_{42};
  Table table_{{"test", ">batch", ">depth", ">threads", ">tok/s", ">min", ">max"}};
};

Result<void> bench(const Options& o) {
  std::vector<Test> tests;
  for (int64_t depth : o.depths) {
    for (int64_t n : o.prompts)
      if (n > 0) tests.push_back({n, 0, 1, depth});
    for (int64_t n : o.generates)
      for (int64_t batch : o.batches)
        if (n > 0) tests.push_back({0, n, batch, depth});
  }
  if (tests.empty()) return invalid("[cli] --n-prompt and --n-gen are 0: nothing to measure");
  int64_t longest = 1, room = 1;
  for (const Test& t : tests) {
    longest = std::max(longest, t.depth + t.prompt + t.generate);
    room = std::max(room, t.batch * (t.depth + t.prompt + t.generate + 16));
  }
  ModelOptions model_options = o.model;
  if (model_options.context == 0) model_options.context = longest;
  llm::LoadedModel model = INGOT_TRY(load(model_options, room, o.json_output));
  Bench bench(model, o);
  for (const Test& t : tests) INGOT_TRY(bench.run(t));
  bench.print_table();
  return o.profile ? bench.profile() : Result<void>{};
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  CLI::App* parent = app.add_subcommand("bench", "Measure speed");
  parent->require_subcommand(1);
  parent->footer(
      "\nExamples:\n  ingot bench llm model.gguf\n  ingot bench model model.onnx -t 1,2\n  ingot bench serve -c 8");
  add_bench_serve(*parent, action);
  add_bench_model(*parent, action);
  CLI::App* c = parent->add_subcommand("llm", "Tokens per second of a language model");
  add_model_options(*c, o->model);
  const auto add = [c](const char* flags, std::vector<int64_t>& values, const char* help, int64_t low, int64_t high) {
    c->add_option(flags, values, help)->delimiter(',')->capture_default_str()->check(integer_in(low, high));
  };
  add("-p,--n-prompt", o->prompts, "Prompt lengths; 0: none", 0, kTokensMax);
  add("-n,--n-gen", o->generates, "Tokens to generate; 0: none", 0, kTokensMax);
  add("-b,--batch", o->batches, "Sequences that decode together", 1, kBatchMax);
  add("-d,--depth", o->depths, "Tokens in the cache before the test starts", 0, kTokensMax);
  c->add_option("-r,--repetitions", o->repetitions, "Runs of each test, after one that warms up")
      ->check(integer_in(1, 1000))
      ->capture_default_str();
  c->add_flag("--profile", o->profile, "Also print what each kernel costs");
  c->add_flag("--json", o->json_output, "One JSON object a line and test");
  c->footer(
      "\nExamples:\n"
      "  ingot bench llm model.gguf\n"
      "  ingot bench llm model.gguf -p 128,512,2048 -n 64 -t 2\n"
      "  ingot bench llm model.gguf -p 0 -n 32 -b 1,2,4,8,16 --json");
  c->callback([o, &action] { action = [o] { return bench(*o); }; });
}

}  // namespace ingot::cli

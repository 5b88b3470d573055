#include "cli/infer/bench_model.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <memory>

#include "base/clock.h"
#include "cli/infer/infer_inputs.h"
#include "cli/infer/tensor_session.h"
#include "cli/inspect/plan.h"
#include "cli/option_checks.h"

namespace ingot::cli {
namespace {

namespace json = boost::json;

struct Options {
  std::string model;
  InputOptions inputs;
  std::vector<int> threads = {0};
  int repetitions = 50, warmup = 3;
  bool profile = false, json = false;
  std::string trace;
  std::vector<std::string> disabled_passes;
};

struct Measured {
  int threads = 0;
  double load_ms = 0, first_ms = 0;
  std::vector<double> run_ms;  // ascending
  double at(double quantile) const {
    return run_ms[static_cast<size_t>(std::lround(quantile * static_cast<double>(run_ms.size() - 1)))];
  }
};

double peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

// The mean of each step over several runs of one plan.
class MeanProfile {
 public:
  void add(const Profile& run) {
    if (runs_++ == 0) return void(sum_ = run);
    if (run.steps.size() != sum_.steps.size()) return;  // a loop that went round another number of times
    for (size_t i = 0; i < run.steps.size(); ++i) sum_.steps[i].nanoseconds += run.steps[i].nanoseconds;
    ++counted_;
  }
  Profile mean() const {
    Profile out = sum_;
    for (StepTime& s : out.steps) s.nanoseconds /= counted_;
    return out;
  }

 private:
  Profile sum_;
  int64_t runs_ = 0, counted_ = 1;
};

Result<Measured> measure(const Options& o, int threads, MeanProfile& profile, std::unique_ptr<Session>& session) {
  const Stopwatch load;
  session = INGOT_TRY(open_tensor_session(o.model, threads, o.disabled_passes));
  Measured m{.threads = session->pool().size(), .load_ms = load.elapsed_ms()};
  const std::vector<Tensor> inputs = INGOT_TRY(make_inputs(session->graph(), o.inputs));
  const std::vector<TensorView> views(inputs.begin(), inputs.end());
  const bool profiles = o.profile || !o.trace.empty();
  for (int i = -1 - o.warmup; i < o.repetitions; ++i) {
    const Stopwatch watch;
    INGOT_TRY(session->run(views));
    if (i == -1 - o.warmup) m.first_ms = watch.elapsed_ms();
    if (i >= 0) m.run_ms.push_back(watch.elapsed_ms());
  }
  // Runs of their own: reading the clock at every node takes time, too.
  for (int i = 0; i < o.repetitions && profiles; ++i) {
    Profile one;
    INGOT_TRY(session->run(views, &one));
    profile.add(one);
  }
  std::ranges::sort(m.run_ms);
  return m;
}

json::object as_json(const Measured& m) {
  return {{"threads", m.threads}, {"load_ms", m.load_ms}, {"first_run_ms", m.first_ms}, {"min_ms", m.run_ms.front()},
          {"p50_ms", m.at(0.5)},  {"p90_ms", m.at(0.9)},  {"p99_ms", m.at(0.99)},       {"runs", m.run_ms.size()}};
}

Result<void> bench(const Options& o) {
  Table table({">threads", ">load ms", ">first run", ">min ms", ">p50", ">p90", ">p99", ">runs/s"});
  json::array rows;
  MeanProfile profile;
  std::unique_ptr<Session> session;  // a profile points into it
  for (const int threads : o.threads) {
    profile = {};
    const Measured m = INGOT_TRY(measure(o, threads, profile, session));
    rows.push_back(as_json(m));
    std::vector<std::string> cells = {std::to_string(m.threads), fmt::format("{:.1f}", m.load_ms)};
    for (const double ms : {m.first_ms, m.run_ms.front(), m.at(0.5), m.at(0.9), m.at(0.99)})
      cells.push_back(fmt::format("{:.3f}", ms));
    cells.push_back(fmt::format("{:.1f}", 1e3 / m.at(0.5)));
    table.add(std::move(cells));
  }
  if (!o.trace.empty()) INGOT_TRY(write_trace(o.trace, profile.mean()));
  if (o.json) {
    json::object out{{"model", o.model}, {"results", std::move(rows)}, {"peak_mib", peak_mib()}};
    if (o.profile) out["profile"] = profile_json(profile.mean());
    fmt::print("{}\n", json::serialize(out));
    return {};
  }
  fmt::print("{}peak memory {:.0f} MiB, {} runs after {} that warm up\n", table.text(), peak_mib(), o.repetitions,
             o.warmup + 1);
  if (o.profile) fmt::print("\n{}", profile_table(profile.mean()).text());
  return {};
}

}  // namespace

void add_bench_model(CLI::App& parent, Action& action) {
  auto o = std::make_shared<Options>();
  CLI::App* c = parent.add_subcommand("model", "Latency of a tensor model (ONNX), node by node");
  c->add_option("MODEL", o->model, "An .onnx file, or an engine file (.ingot)")->required();
  add_input_options(*c, o->inputs);
  c->add_option("-t,--threads", o->threads, "Threads, one row each (0: as many as this process may use)")
      ->delimiter(',')
      ->check(integer_in(0, limits::kThreadsMax));
  c->add_option("-r,--repetitions", o->repetitions, "Runs that count")
      ->capture_default_str()
      ->check(integer_in(1, 1000000));
  c->add_option("--warmup", o->warmup, "Runs before them, besides the first")
      ->capture_default_str()
      ->check(integer_in(0, 1000000));
  c->add_flag("--profile", o->profile, "Also print the mean time of every node, from as many runs more");
  c->add_option("--trace", o->trace, "Write that as a Chrome trace to this file (chrome://tracing, Perfetto)");
  c->add_option("--disable-pass", o->disabled_passes, "Switch an optimizer pass off (repeatable); all: every pass")
      ->allow_extra_args(false)
      ->check(one_of(pass_names()));
  c->add_flag("--json", o->json, "Print one JSON object");
  c->footer(
      "\nExamples:\n"
      "  ingot bench model model.onnx --dim batch=1\n"
      "  ingot bench model model.onnx -t 1,2 --shape x=1x3x224x224 --profile\n"
      "  ingot bench model model.onnx --input image=photo.jpg --trace trace.json");
  c->callback([o, &action] {
    o->inputs.inputs.emplace_back("random");  // what is not given
    action = [o] { return bench(*o); };
  });
}

}  // namespace ingot::cli

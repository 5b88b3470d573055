#include "cli/infer/tensor_session.h"

#include <map>

#include "backends/cpu/cpu.h"
#include "backends/ref/ref.h"
#include "base/mapped_file.h"
#include "base/partial_file.h"
#include "cli/command.h"
#include "cli/inspect/plan.h"
#include "formats/onnx/onnx_import.h"
#include "formats/printable.h"
#include "formats/sniff.h"
#include "plan/engine_file.h"

namespace ingot::cli {
namespace {

namespace json = boost::json;

Result<std::unique_ptr<Session>> open(const std::string& model, int threads, const std::vector<std::string>& disabled) {
  if (const auto file = MappedFile::open(model)) {
    const FileGuess guess = guess_file((*file)->bytes());
    if (guess.kind == FileKind::kGguf || guess.kind == FileKind::kSafetensors)
      return invalid("[infer] this is {}, not an ONNX model: run it with `ingot run`", guess.description);
  }
  auto pool = INGOT_TRY(ThreadPool::create(threads > 0 ? threads : ThreadPool::default_threads()));
  SessionOptions options{.pool = std::move(pool),
                         .backends = {&cpu_backend(), &ref_backend()},
                         .disabled_passes = disabled_passes(disabled)};
  if (!is_engine_file(model)) return Session::create(INGOT_TRY(import_onnx(model)), std::move(options));
  EngineFile engine = INGOT_TRY(open_engine(model));
  options.store = engine.store;
  options.optimized = true;
  auto session = INGOT_TRY(Session::create(std::move(engine.graph), std::move(options)));
  INGOT_TRY(check_engine_kernels(engine, session->plan()));
  return session;
}

struct Seen {
  const Node& node;
  const Step& step;
  const Graph& graph;
};
Seen seen(const StepTime& s) {
  const Step& step = s.plan->steps()[s.step];
  return {s.plan->graph().node(step.node), step, s.plan->graph()};
}

}  // namespace

Result<std::unique_ptr<Session>> open_tensor_session(const std::string& model, int threads,
                                                     const std::vector<std::string>& disabled) {
  auto session = open(model, threads, disabled);
  if (!session) return std::unexpected(about_file(session.error(), model));
  return session;
}

Table profile_table(const Profile& profile) {
  double total = 0;
  for (const StepTime& s : profile.steps) total += static_cast<double>(s.nanoseconds);
  Table table({"node", "op", "kernel", "type", ">ms", ">%"});
  for (const StepTime& s : profile.steps) {
    const auto [node, step, graph] = seen(s);
    const double ns = static_cast<double>(s.nanoseconds);
    table.add({printable(node.name), std::string(op_name(node.op)), step.kernel.name,
               graph.value(node.outputs[0]).type.to_string(), fmt::format("{:.3f}", ns / 1e6),
               fmt::format("{:.1f}", total > 0 ? 100 * ns / total : 0)});
  }
  return table;
}

json::array profile_json(const Profile& profile) {
  json::array steps;
  for (const StepTime& s : profile.steps) {
    const auto [node, step, graph] = seen(s);
    steps.push_back(json::object{{"node", valid_utf8(node.name)},
                                 {"op", op_name(node.op)},
                                 {"kernel", step.kernel.name},
                                 {"ms", static_cast<double>(s.nanoseconds) / 1e6}});
  }
  return steps;
}

Result<void> write_trace(const std::string& path, const Profile& profile) {
  std::map<const Plan*, std::pair<int, double>> rows;  // number, and where its next event begins, in microseconds
  json::array events;
  for (const StepTime& s : profile.steps) {
    const auto [node, step, graph] = seen(s);
    auto& [row, at] = rows.try_emplace(s.plan, static_cast<int>(rows.size()), 0.0).first->second;
    const double took = static_cast<double>(s.nanoseconds) / 1e3;
    events.push_back(json::object{{"name", valid_utf8(node.name)},
                                  {"cat", op_name(node.op)},
                                  {"ph", "X"},
                                  {"pid", 0},
                                  {"tid", row},
                                  {"ts", at},
                                  {"dur", took},
                                  {"args", json::object{{"op", op_name(node.op)}, {"kernel", step.kernel.name}}}});
    at += took;
  }
  const std::string text = json::serialize(json::object{{"traceEvents", std::move(events)}}) + "\n";
  PartialFile file("trace", path);
  INGOT_TRY(file.open());
  INGOT_TRY(file.write(std::as_bytes(std::span(text))));
  return file.commit();
}

}  // namespace ingot::cli

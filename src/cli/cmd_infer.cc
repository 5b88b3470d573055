// `ingot infer MODEL`: runs a tensor model once or often, on given or random inputs; writes, compares, profiles.
#include <algorithm>
#include <boost/json.hpp>
#include <cctype>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/infer/infer_inputs.h"
#include "cli/infer/infer_outputs.h"
#include "cli/infer/tensor_session.h"
#include "cli/inspect/plan.h"
#include "cli/option_checks.h"
#include "cli/table.h"
#include "formats/npy/npy.h"
#include "formats/printable.h"
#include "tensor/number_at.h"

namespace ingot::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

struct Options {
  std::string model;
  InputOptions inputs;
  std::string output_folder;
  std::vector<std::string> compare;  // a folder of NAME.npy, or name=file.npy
  double rtol = 1e-3, atol = 1e-5;
  double timeout_s = 0;  // of one run; 0: none
  int repeat = 1, threads = 0;
  bool profile = false, json = false;
  std::vector<std::string> disabled_passes;
};

struct Difference {
  std::string name;
  double abs_max = 0, rel_max = 0;  // relative to max(|expected|, atol)
  bool equal = true;                // every element within atol + rtol |expected|
};

Result<Difference> difference(const std::string& name, const TensorView& got, const TensorView& want,
                              const Options& o) {
  if (got.dtype != want.dtype || !(got.shape == want.shape))
    return invalid("[infer] output '{}' is {}{}, expected {}{}", printable(name), dtype_name(got.dtype),
                   got.shape.to_string(), dtype_name(want.dtype), want.shape.to_string());
  Difference d{.name = name};
  for (int64_t i = 0; i < got.num_elements(); ++i) {
    const double a = number_at(got, i), b = number_at(want, i);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    const double error = std::fabs(a - b);
    d.abs_max = std::isnan(error) ? INFINITY : std::max(d.abs_max, error);
    d.rel_max = std::max(d.rel_max, error / std::max(std::fabs(b), o.atol));
    d.equal &= error <= o.atol + o.rtol * std::fabs(b);
  }
  return d;
}

// The file that holds what output `name` should be; "" if none was given.
Result<std::string> expected_file(const std::string& name, const Options& o) {
  for (const std::string& text : o.compare) {
    if (fs::is_directory(text)) {
      std::string path = (fs::path(text) / output_file_name(name, DType::kF32)).string();
      if (fs::exists(path)) return path;
      continue;
    }
    const auto [given, path] = INGOT_TRY(split_assignment(text));
    if (given == name) return path;
  }
  return std::string();
}

class Runner {
 public:
  explicit Runner(const Options& options) : o_(options) {}

  Result<void> run() {
    const Stopwatch load;
    session_ = INGOT_TRY(open_tensor_session(o_.model, o_.threads, o_.disabled_passes));
    load_ms_ = load.elapsed_ms();
    inputs_ = INGOT_TRY(make_inputs(session_->graph(), o_.inputs));
    INGOT_TRY(check_compared());
    if (!o_.output_folder.empty()) INGOT_TRY(check_file_names());
    std::vector<TensorView> views(inputs_.begin(), inputs_.end());
    for (int i = 0; i + 1 < o_.repeat; ++i) {
      const Stopwatch watch;
      INGOT_TRY(session_->run(views, nullptr, run_options()));
      run_ms_.push_back(watch.elapsed_ms());
    }
    const Stopwatch watch;
    auto outputs = INGOT_TRY(session_->run(views, o_.profile ? &profile_ : nullptr, run_options()));
    run_ms_.push_back(watch.elapsed_ms());
    const auto& ids = session_->graph().outputs();
    for (size_t i = 0; i < ids.size(); ++i) INGOT_TRY(take_output(session_->graph().value(ids[i]).name, outputs[i]));
    if (o_.json)
      print_json();
    else
      print_tables();
    for (const Difference& d : differences_)
      if (!d.equal)
        return error(Code::kFailedPrecondition, "[infer] output '{}' differs by more than the tolerance",
                     printable(d.name));
    return {};
  }

 private:
  RunOptions run_options() const {
    RunOptions options;
    if (o_.timeout_s > 0)
      options.deadline =
          std::chrono::steady_clock::now() + std::chrono::microseconds(static_cast<int64_t>(o_.timeout_s * 1e6));
    return options;
  }

  // Each --compare stands for an output at least, so that a misspelt name is not taken for equality.
  Result<void> check_compared() const {
    for (const std::string& text : o_.compare) {
      const bool folder = fs::is_directory(text);
      const std::string name = folder ? "" : INGOT_TRY(split_assignment(text)).first;
      bool used = false;
      std::string names;
      for (ValueId v : session_->graph().outputs()) {
        const std::string& output = session_->graph().value(v).name;
        const bool many = session_->graph().value(v).type.is_container();
        used |= folder ? fs::exists(fs::path(text) / output_file_name(output + (many ? ".0" : ""), DType::kF32))
                       : output == name || (many && name.starts_with(output + "."));
        names += fmt::format(" '{}'", printable(output));
      }
      if (!used)
        return invalid("[cli] --compare: '{}' {} of the outputs:{}", printable(text),
                       folder ? "has a file for none" : "names none", names);
    }
    return {};
  }

  // No output overwrites another one's file.
  Result<void> check_file_names() const {
    std::map<std::string, std::string> taken;
    for (ValueId v : session_->graph().outputs()) {
      const std::string& name = session_->graph().value(v).name;
      const auto [other, fresh] = taken.emplace(output_file_name(name, session_->graph().value(v).type.dtype), name);
      if (!fresh && other->second != name)
        return invalid("[infer] --output: the outputs '{}' and '{}' would both be the file '{}': run without --output",
                       printable(other->second), printable(name), printable(other->first));
    }
    for (ValueId v : session_->graph().outputs()) {
      const Value& many = session_->graph().value(v);
      if (!many.type.is_container()) continue;
      const std::string element = fs::path(output_file_name(many.name, DType::kF32)).stem().string() + ".";
      for (const auto& [file, name] : taken)
        if (name != many.name && file.starts_with(element) &&
            std::isdigit(static_cast<unsigned char>(file[element.size()])))
          return invalid(
              "[infer] --output: the output '{}' and one of what '{}' holds could both be the file '{}': run "
              "without --output",
              printable(name), printable(many.name), printable(file));
    }
    return {};
  }

  // What a sequence or optional holds has the names NAME.0, NAME.1, …; a map's keys are NAME.0, its values NAME.1.
  Result<void> take_output(const std::string& name, const TensorView& t) {
    outputs_.emplace_back(name, TensorView{t.dtype, t.shape, nullptr});
    if (is_container(t.dtype)) {
      const int64_t n = t.num_elements();
      for (int64_t i = 0; i < n; ++i) INGOT_TRY(take_output(fmt::format("{}.{}", name, i), t.as<Tensor>()[i]));
      if (!INGOT_TRY(expected_file(fmt::format("{}.{}", name, n), o_)).empty())
        return invalid("[infer] output '{}' has {} elements, more are expected", printable(name), n);
      return {};
    }
    if (!o_.output_folder.empty()) {
      std::error_code ec;
      fs::create_directories(o_.output_folder, ec);
      INGOT_TRY(write_output(o_.output_folder, name, t));
    }
    const std::string path = INGOT_TRY(expected_file(name, o_));
    if (path.empty()) return {};
    const Tensor want = INGOT_TRY(read_npy(path));
    differences_.push_back(INGOT_TRY(difference(name, t, want, o_)));
    return {};
  }

  double median_ms() const {
    std::vector<double> sorted = run_ms_;
    std::ranges::sort(sorted);
    return sorted[sorted.size() / 2];
  }

  void print_tables() const {
    Table values({"", "name", "type", "shape"});
    const Graph& g = session_->graph();
    for (size_t i = 0; i < inputs_.size(); ++i)
      values.add({"input", printable(g.value(g.inputs()[i]).name), std::string(dtype_name(inputs_[i].dtype())),
                  inputs_[i].shape().to_string()});
    for (const auto& [name, t] : outputs_)
      values.add({"output", printable(name), std::string(dtype_name(t.dtype)), t.shape.to_string()});
    fmt::print("{}\nload {:.1f} ms, run {:.3f} ms (median of {})\n", values.text(), load_ms_, median_ms(),
               run_ms_.size());
    if (!differences_.empty()) {
      Table table({"output", ">max abs", ">max rel", "verdict"});
      for (const Difference& d : differences_)
        table.add({printable(d.name), fmt::format("{:.3g}", d.abs_max), fmt::format("{:.3g}", d.rel_max),
                   d.equal ? "equal" : "differs"});
      fmt::print("\n{}", table.text());
    }
    if (o_.profile) fmt::print("\n{}", profile_table(profile_).text());
  }

  json::array described(bool inputs) const {
    json::array list;
    const auto add = [&](const std::string& name, DType dtype, const Shape& shape) {
      json::array dims(shape.begin(), shape.end());
      list.push_back(json::object{{"name", valid_utf8(name)}, {"type", dtype_name(dtype)}, {"shape", std::move(dims)}});
    };
    const Graph& g = session_->graph();
    if (inputs)
      for (size_t i = 0; i < inputs_.size(); ++i)
        add(g.value(g.inputs()[i]).name, inputs_[i].dtype(), inputs_[i].shape());
    else
      for (const auto& [name, t] : outputs_) add(name, t.dtype, t.shape);
    return list;
  }

  void print_json() const {
    json::object out{{"inputs", described(true)}, {"outputs", described(false)}};
    out["timings"] = json::object{{"load_ms", load_ms_},
                                  {"run_ms", median_ms()},
                                  {"run_ms_samples", json::array(run_ms_.begin(), run_ms_.end())}};
    json::array compared;
    for (const Difference& d : differences_)
      compared.push_back(json::object{
          {"name", valid_utf8(d.name)}, {"max_abs", d.abs_max}, {"max_rel", d.rel_max}, {"equal", d.equal}});
    if (!compared.empty()) out["compare"] = std::move(compared);
    if (o_.profile) out["profile"] = profile_json(profile_);
    fmt::print("{}\n", json::serialize(out));
  }

  const Options& o_;
  std::unique_ptr<Session> session_;
  std::vector<Tensor> inputs_;
  std::vector<std::pair<std::string, TensorView>> outputs_;
  std::vector<Difference> differences_;
  std::vector<double> run_ms_;
  double load_ms_ = 0;
  Profile profile_;
};

}  // namespace

void add_infer(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("infer", "Run a tensor model (ONNX) on files, JSON or random inputs");
  command->add_option("MODEL", o->model, "An .onnx file, or an engine file (.ingot)")->required();
  add_input_options(*command, o->inputs);
  command->add_option("-o,--output", o->output_folder,
                      "Write each output as NAME.npy into this folder, a sequence as NAME.0.npy, NAME.1.npy, …");
  command->add_option("--compare", o->compare, "A folder of NAME.npy, or NAME=FILE.npy: exit 1 where outputs differ")
      ->allow_extra_args(false);
  command->add_option("--rtol", o->rtol, "Relative tolerance")->capture_default_str()->check(number_in(0, 1e30));
  command->add_option("--atol", o->atol, "Absolute tolerance")->capture_default_str()->check(number_in(0, 1e30));
  command->add_option("--repeat", o->repeat, "Runs; the median time is reported")->check(integer_in(1, 1000000));
  command->add_option("--timeout", o->timeout_s, "Seconds that a run may take (0: any); exit code 1 if it takes longer")
      ->check(number_in(0, 1e9));
  command->add_option("-t,--threads", o->threads, "Threads (0: as many as this process may use)")
      ->check(integer_in(0, limits::kThreadsMax));
  command
      ->add_option("--disable-pass", o->disabled_passes, "Switch an optimizer pass off (repeatable); all: every pass")
      ->allow_extra_args(false)
      ->check(one_of(pass_names()));
  command->add_flag("--profile", o->profile, "Print the time of every node");
  command->add_flag("--json", o->json, "Print one JSON object: names, types, shapes, timings");
  command->footer(
      "Examples:\n"
      "  ingot infer model.onnx --input random --dim batch=1\n"
      "  ingot infer model.onnx --input image=photo.jpg --output results\n"
      "  ingot infer model.onnx --input ids=[[101,2023,102]] --compare results --rtol 1e-4\n"
      "  ingot infer model.onnx --input random --shape x=1x3x224x224 --profile --repeat 20 --threads 2");
  command->callback([o, &action] { action = [o] { return Runner(*o).run(); }; });
}

}  // namespace ingot::cli

#include "llm/loaded_model.h"

#include <future>

#include "base/clock.h"
#include "formats/printable.h"
#include "llm/engine_source.h"

namespace ingot::llm {

namespace {

Result<LoadedModel> load(const std::string& path, const RunnerOptions& options) {
  const Stopwatch watch;
  LoadedModel model;
  std::optional<EngineFile> engine;
  if (is_engine_file(path)) {
    engine = INGOT_TRY(open_engine(path));
    model.source = make_engine_source(engine->map);
    if (!model.source)
      return error(Code::kFailedPrecondition, "[engine] '{}' holds a tensor model: use `ingot infer`", path);
  } else {
    model.source = INGOT_TRY(open_source(path));
  }
  // Its destructor waits, so the source outlives the reader also when the runner fails first.
  auto tokenizer = std::async(std::launch::async, [source = model.source] { return Tokenizer::from_source(*source); });
  auto runner = engine ? ModelRunner::create(std::move(*engine), options) : ModelRunner::create(model.source, options);
  auto read = tokenizer.get();
  if (!runner) return std::unexpected(runner.error());
  model.tokenizer = INGOT_TRY(std::move(read));
  model.runner = std::move(*runner);
  auto chat = ChatTemplate::from_source(*model.source);
  if (chat)
    model.chat_template = std::move(*chat);
  else if (chat.error().code() != Code::kNotFound)
    return std::unexpected(chat.error());
  model.load_ms = watch.elapsed_ms();
  return model;
}

}  // namespace

Result<LoadedModel> load_model(const std::string& path, const RunnerOptions& options) {
  auto model = load(path, options);
  if (!model) return std::unexpected(about_file(model.error(), path));
  return model;
}

}  // namespace ingot::llm

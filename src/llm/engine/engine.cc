#include "llm/engine/engine.h"

namespace ingot::llm {

class Engine::Impl {
 public:
  Impl(LoadedModel model, const EngineOptions& options) : model(std::move(model)), options(options) {}
  LoadedModel model;
  EngineOptions options;
};

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::create(LoadedModel model, const EngineOptions& options) {
  return std::unique_ptr<Engine>(new Engine(std::make_unique<Impl>(std::move(model), options)));
}

Result<RequestId> Engine::submit(Request) { return error(Code::kUnavailable, "[engine] does not run yet"); }
void Engine::cancel(RequestId) {}
Result<Completion> Engine::run(Request) { return error(Code::kUnavailable, "[engine] does not run yet"); }
bool Engine::drain(EngineClock::time_point) { return true; }
EngineState Engine::state() const { return EngineState::kStopped; }
EngineStats Engine::stats() const { return {}; }
int Engine::retry_after_s() const { return 1; }
const EngineOptions& Engine::options() const { return impl_->options; }
const ModelConfig& Engine::config() const { return impl_->model.runner->config(); }
int64_t Engine::context() const { return impl_->model.runner->context(); }
const Tokenizer& Engine::tokenizer() const { return *impl_->model.tokenizer; }
std::shared_ptr<const Tokenizer> Engine::shared_tokenizer() const { return impl_->model.tokenizer; }
const std::optional<ChatTemplate>& Engine::chat_template() const { return impl_->model.chat_template; }
double Engine::load_ms() const { return impl_->model.load_ms; }

}  // namespace ingot::llm

#include "server/openai/running.h"

#include <boost/asio/this_coro.hpp>

namespace ingot::openai {

Running::Running(http::Workers& workers, std::shared_ptr<serving::Servable> model, std::vector<llm::Request> requests,
                 const http::asio::any_io_executor& strand)
    : workers_(workers),
      model_(std::move(model)),
      events_(strand),
      waiting_(std::make_move_iterator(requests.begin()), std::make_move_iterator(requests.end())),
      total_(requests.size()) {}

Running::~Running() { cancel(); }

http::asio::awaitable<Parsed<std::shared_ptr<Running>>> Running::start(http::Workers& workers,
                                                                       std::shared_ptr<serving::Servable> model,
                                                                       std::vector<llm::Request> requests,
                                                                       http::Exchange& exchange, size_t at_once) {
  auto running = co_await start(workers, std::move(model), std::move(requests), at_once);
  if (!running) co_return std::unexpected(std::move(running).error());
  exchange.on_gone([weak = std::weak_ptr(*running)] {
    if (const auto self = weak.lock()) self->cancel();
  });
  co_return std::move(*running);
}

http::asio::awaitable<Parsed<std::shared_ptr<Running>>> Running::start(http::Workers& workers,
                                                                       std::shared_ptr<serving::Servable> model,
                                                                       std::vector<llm::Request> requests,
                                                                       size_t at_once) {
  const auto strand = co_await http::asio::this_coro::executor;
  std::shared_ptr<Running> self(new Running(workers, std::move(model), std::move(requests), strand));
  while (!self->waiting_.empty() && self->ids_.size() < at_once) {
    auto failure = co_await self->submit_next();
    if (failure) co_return std::unexpected(std::move(*failure));
  }
  co_return self;
}

// The request's place in ids_ is taken in any case.
http::asio::awaitable<std::optional<ApiError>> Running::submit_next() {
  llm::Request request = std::move(waiting_.front());
  waiting_.pop_front();
  const size_t index = ids_.size();
  ids_.emplace_back();
  request.on_event = [channel = events_.channel(), index](llm::Event event) {
    channel->push({index, std::move(event)});
  };
  auto work = [model = model_, r = std::move(request)]() mutable { return model->language->submit(std::move(r)); };
  const Result<llm::RequestId> id = co_await workers_.run(std::move(work));
  if (id) {
    ids_[index] = *id;
    if (cancelled_) model_->language->cancel(*id);  // meanwhile
    co_return std::nullopt;
  }
  const Code code = id.error().code();
  ApiError failure(id.error(), code == Code::kInvalidArgument ? blamed_field(id.error().message()) : "");
  if (code == Code::kResourceExhausted || code == Code::kUnavailable)
    failure.retry_after_s = model_->language->retry_after_s();
  if (code == Code::kOutOfRange) failure.code = "context_length_exceeded";
  co_return failure;
}

http::asio::awaitable<std::vector<TaggedEvent>> Running::take() {
  std::vector<TaggedEvent> events;
  if (ended()) co_return events;
  events = co_await events_.take();
  for (size_t i = 0, n = events.size(); i < n; ++i) {
    if (!events[i].event.done) continue;
    ++ended_;
    ids_[events[i].prompt].reset();
    if (waiting_.empty() || cancelled_) continue;
    auto failure = co_await submit_next();
    if (!failure) continue;
    TaggedEvent told{.prompt = ids_.size() - 1};  // as an event of its own
    told.event.done = true;
    told.event.error = failure->status;
    ++ended_;
    events.push_back(std::move(told));
  }
  if (cancelled_) {
    ended_ += waiting_.size();
    waiting_.clear();
  }
  co_return events;
}

void Running::cancel() {
  cancelled_ = true;
  for (const auto& id : ids_)
    if (id) model_->language->cancel(*id);
}

}  // namespace ingot::openai

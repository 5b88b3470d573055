#include "server/openai/running.h"

namespace ingot::openai {

Running::Running(std::shared_ptr<serving::Servable> model, std::vector<llm::Request> requests,
                 const http::asio::any_io_executor& strand)
    : model_(std::move(model)),
      events_(strand),
      waiting_(std::make_move_iterator(requests.begin()), std::make_move_iterator(requests.end())),
      total_(requests.size()) {}

Running::~Running() { cancel(); }

Parsed<std::shared_ptr<Running>> Running::start(std::shared_ptr<serving::Servable> model,
                                                std::vector<llm::Request> requests, http::Exchange& exchange,
                                                const http::asio::any_io_executor& strand, size_t at_once) {
  auto self = start(std::move(model), std::move(requests), strand, at_once);
  if (self)
    exchange.on_gone([weak = std::weak_ptr(*self)] {
      if (const auto running = weak.lock()) running->cancel();
    });
  return self;
}

Parsed<std::shared_ptr<Running>> Running::start(std::shared_ptr<serving::Servable> model,
                                                std::vector<llm::Request> requests,
                                                const http::asio::any_io_executor& strand, size_t at_once) {
  std::shared_ptr<Running> self(new Running(std::move(model), std::move(requests), strand));
  while (!self->waiting_.empty() && self->ids_.size() < at_once)
    if (auto done = self->submit_next(); !done) return std::unexpected(std::move(done).error());
  return self;
}

Parsed<size_t> Running::submit_next() {
  llm::Request request = std::move(waiting_.front());
  waiting_.pop_front();
  const size_t index = ids_.size();
  request.on_event = [channel = events_.channel(), index](llm::Event event) {
    channel->push({index, std::move(event)});
  };
  auto id = model_->language->submit(std::move(request));
  if (!id) {
    const Code code = id.error().code();
    ApiError failure(id.error());
    if (code == Code::kResourceExhausted || code == Code::kUnavailable)
      failure.retry_after_s = model_->language->retry_after_s();
    if (code == Code::kOutOfRange) failure.code = "context_length_exceeded";
    return std::unexpected(std::move(failure));
  }
  ids_.emplace_back(*id);
  return index;
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
    if (auto next = submit_next(); !next) {  // told as an event of its own
      TaggedEvent failure{.prompt = ids_.size()};
      failure.event.done = true;
      failure.event.error = next.error().status;
      ids_.emplace_back();
      ++ended_;
      events.push_back(std::move(failure));
    }
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

// The engine requests of one client's request while they run: their events, and their end when the client goes.
//
// Ownership: shared with the callbacks that the connection holds; keeps the model alive. Cancels what still runs when
// the last owner lets go. Thread-safety: the connection's (or stream's) strand.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "server/http/event_channel.h"
#include "server/http/exchange.h"
#include "server/http/workers.h"
#include "server/openai/api_error.h"
#include "serving/model_repository.h"

namespace ingot::openai {

struct TaggedEvent {
  size_t prompt = 0;  // which of the requests
  llm::Event event;
};

class Running {
 public:
  // at_once: how many may be in the engine together; the rest follow as these end. Each is made ready for the engine
  // on a worker: long prompts and many choices cost time. Errors: those of Engine::submit, with Retry-After where it
  // is overloaded.
  static http::asio::awaitable<Parsed<std::shared_ptr<Running>>> start(http::Workers& workers,
                                                                       std::shared_ptr<serving::Servable> model,
                                                                       std::vector<llm::Request> requests,
                                                                       http::Exchange& exchange, size_t at_once);
  // The same for what is no HTTP exchange: the caller cancels. Its coroutine runs on a strand.
  static http::asio::awaitable<Parsed<std::shared_ptr<Running>>> start(http::Workers& workers,
                                                                       std::shared_ptr<serving::Servable> model,
                                                                       std::vector<llm::Request> requests,
                                                                       size_t at_once);
  ~Running();

  // At least one event; none only when all have ended.
  http::asio::awaitable<std::vector<TaggedEvent>> take();
  bool ended() const { return ended_ == total_; }
  void cancel();

 private:
  Running(http::Workers& workers, std::shared_ptr<serving::Servable> model, std::vector<llm::Request> requests,
          const http::asio::any_io_executor& strand);
  http::asio::awaitable<std::optional<ApiError>> submit_next();

  http::Workers& workers_;
  std::shared_ptr<serving::Servable> model_;
  http::ChannelReader<TaggedEvent> events_;
  std::deque<llm::Request> waiting_;
  std::vector<std::optional<llm::RequestId>> ids_;  // empty: ended
  size_t total_ = 0, ended_ = 0;
  bool cancelled_ = false;
};

}  // namespace ingot::openai

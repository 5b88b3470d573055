// A time by which one operation of a connection must end; what to do otherwise.
//
// One timer for all operations in turn. Thread-safety: the connection's strand.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

namespace ingot::http {

// More time for more bytes: a client may be as slow as 64 KiB a second.
inline std::chrono::milliseconds allowance(std::chrono::milliseconds base, uint64_t bytes) {
  return base + std::chrono::milliseconds(bytes / 66);
}

class Deadline {
 public:
  explicit Deadline(const boost::asio::any_io_executor& strand) : state_(std::make_shared<State>(strand)) {}
  ~Deadline() { disarm(); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  void arm(std::chrono::milliseconds time, std::function<void()> late) {
    state_->expired = false;
    state_->late = std::move(late);
    state_->timer.expires_after(time);
    state_->timer.async_wait([state = state_, turn = ++state_->turn](boost::system::error_code ec) {
      if (!ec && turn == state->turn) state->expire();
    });
  }
  void disarm() {
    ++state_->turn;
    state_->late = nullptr;
    state_->timer.cancel();
  }
  // As if the time were over. Nothing if none is armed.
  void expire_now() {
    ++state_->turn;
    state_->expire();
  }
  // Whether the operation armed last was late.
  bool expired() const { return state_->expired; }

 private:
  struct State {
    explicit State(const boost::asio::any_io_executor& strand) : timer(strand) {}
    void expire() {
      if (!late) return;
      expired = true;
      std::exchange(late, nullptr)();
    }
    boost::asio::steady_timer timer;
    std::function<void()> late;
    uint64_t turn = 0;
    bool expired = false;
  };
  std::shared_ptr<State> state_;
};

}  // namespace ingot::http

// Values from any thread to one coroutine: an engine's events to the connection that streams them.
//
// push() never blocks; take() suspends until something is there and takes all of it, so what came while the client
// was slow goes out together. Producers share the channel; the coroutine holds a ChannelReader, whose end closes it:
// a producer that outlives the coroutine, or even the server, then pushes into nothing.
// Thread-safety: push from any thread; the reader on one strand.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace ingot::http {

template <class T>
class EventChannel : public std::enable_shared_from_this<EventChannel<T>> {
 public:
  explicit EventChannel(const boost::asio::any_io_executor& strand)
      : wake_(std::in_place, strand, boost::asio::steady_timer::time_point::max()) {}

  void push(T value) {
    const std::lock_guard lock(mutex_);
    if (!wake_) return;
    values_.push_back(std::move(value));
    if (!waiting_) return;
    waiting_ = false;
    boost::asio::post(wake_->get_executor(), [weak = this->weak_from_this()] {
      if (const auto self = weak.lock()) self->wake();
    });
  }

 private:
  template <class U>
  friend class ChannelReader;

  void wake() {
    const std::lock_guard lock(mutex_);
    if (wake_) wake_->cancel();
  }
  void close() {
    const std::lock_guard lock(mutex_);
    wake_.reset();
    values_.clear();
  }

  std::mutex mutex_;
  std::optional<boost::asio::steady_timer> wake_;  // none: closed
  std::vector<T> values_;
  bool waiting_ = false;
};

template <class T>
class ChannelReader {
 public:
  explicit ChannelReader(const boost::asio::any_io_executor& strand)
      : channel_(std::make_shared<EventChannel<T>>(strand)) {}
  ~ChannelReader() { channel_->close(); }
  ChannelReader(const ChannelReader&) = delete;
  ChannelReader& operator=(const ChannelReader&) = delete;

  const std::shared_ptr<EventChannel<T>>& channel() const { return channel_; }

  // At least one value.
  boost::asio::awaitable<std::vector<T>> take() {
    EventChannel<T>& c = *channel_;
    for (;;) {
      {
        const std::lock_guard lock(c.mutex_);
        if (!c.values_.empty()) co_return std::exchange(c.values_, {});
        c.waiting_ = true;
      }
      boost::system::error_code ec;
      co_await c.wake_->async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ec));
    }
  }

 private:
  std::shared_ptr<EventChannel<T>> channel_;
};

}  // namespace ingot::http

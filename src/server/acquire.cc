#include "server/acquire.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include "formats/printable.h"
#include "server/http/event_channel.h"

namespace ingot::server {

boost::asio::awaitable<Result<std::shared_ptr<serving::Servable>>> acquire(serving::ModelRepository& models,
                                                                           std::string name, int64_t version) {
  using Found = Result<std::shared_ptr<serving::Servable>>;
  bool comes = false;
  auto found = models.use(name, version, &comes);
  if (found || !comes) co_return found;
  const auto strand = co_await boost::asio::this_coro::executor;
  http::ChannelReader<Found> reader(strand);
  boost::asio::steady_timer late(strand, kAcquireWaitMax);
  models.acquire(name, version, [channel = reader.channel()](Found loaded) { channel->push(std::move(loaded)); });
  late.async_wait([channel = reader.channel(), name](const boost::system::error_code& ec) {
    if (!ec)
      channel->push(error(Code::kUnavailable, "[serve] model '{}' was not loaded within {} s: try again later",
                          printable(name), kAcquireWaitMax.count()));
  });
  auto answers = co_await reader.take();
  co_return std::move(answers.front());
}

}  // namespace ingot::server

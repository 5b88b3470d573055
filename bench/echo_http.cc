// The least that an HTTP server with Boost.Beast does for an inference: reads the body whole and sends it back.
// What `ingot serve` takes more than this is its own work. Built and run by bench/server_overhead.py, only there.
//
//   echo_http PORT THREADS METADATA      METADATA: what GET answers, JSON
#include <boost/asio.hpp>
#include <boost/beast.hpp>
#include <iostream>
#include <thread>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

namespace {

asio::awaitable<void> serve(tcp::socket socket, const std::string& metadata) {
  socket.set_option(tcp::no_delay(true));
  beast::flat_buffer buffer;
  try {
    for (;;) {
      http::request_parser<http::string_body> parser;
      parser.body_limit(boost::none);
      co_await http::async_read(socket, buffer, parser, asio::use_awaitable);
      http::response<http::string_body> answer{http::status::ok, 11};
      answer.keep_alive(parser.get().keep_alive());
      answer.set(http::field::content_type, "application/octet-stream");
      if (parser.get().method() == http::verb::get)
        answer.body() = metadata;
      else
        answer.body() = std::move(parser.get().body());
      answer.prepare_payload();
      co_await http::async_write(socket, answer, asio::use_awaitable);
    }
  } catch (const boost::system::system_error&) {  // the client is gone
  }
}

asio::awaitable<void> accept(tcp::acceptor& acceptor, const std::string& metadata) {
  for (;;) {
    tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    asio::co_spawn(acceptor.get_executor(), serve(std::move(socket), metadata), asio::detached);
  }
}

}  // namespace

int main(int, char** argv) {
  asio::io_context loop;
  const std::string metadata = argv[3];
  tcp::acceptor acceptor(loop, {asio::ip::address_v4::loopback(), static_cast<uint16_t>(std::stoi(argv[1]))});
  asio::co_spawn(loop, accept(acceptor, metadata), asio::detached);
  std::vector<std::jthread> threads;
  for (int i = 1; i < std::stoi(argv[2]); ++i) threads.emplace_back([&] { loop.run(); });
  std::cout << "ready" << std::endl;
  loop.run();
}

#include "metrics_server.hpp"

#include <chrono>
#include <stdexcept>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace portero {
namespace {

constexpr std::chrono::seconds exchange_max{10};
constexpr std::size_t clients_max = 16;
constexpr std::size_t head_bytes_max = 8'192;

http::response<http::string_body> answer_to(const http::request<http::empty_body>& request,
                                            const MetricsServer::Render& render) {
  http::response<http::string_body> response(http::status::ok, request.version());
  response.set(http::field::content_type, "text/plain; charset=utf-8");
  const std::string_view target(request.target().data(), request.target().size());
  if (request.method() != http::verb::get && request.method() != http::verb::head) {
    response.result(http::status::method_not_allowed);
    response.set(http::field::allow, "GET, HEAD");
  } else if (target.substr(0, target.find('?')) != "/metrics") {
    response.result(http::status::not_found);
    response.body() = "metrics are at /metrics\n";
  } else {
    response.set(http::field::content_type, "text/plain; version=0.0.4; charset=utf-8");
    response.body() = render();
  }
  response.keep_alive(false);
  response.prepare_payload();
  if (request.method() == http::verb::head) response.body().clear();
  return response;
}

asio::ip::tcp::endpoint parse_endpoint(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  std::string address = text.substr(0, colon);
  if (address.starts_with('[')) address = address.substr(1, address.size() - 2);
  const auto port = static_cast<std::uint16_t>(std::stoul(text.substr(colon + 1)));
  return {asio::ip::make_address(address), port};
}

}  // namespace

struct MetricsServer::State : std::enable_shared_from_this<State> {
  // One request and its answer.
  struct Client {
    Client(asio::ip::tcp::socket socket, std::shared_ptr<State> state)
        : stream(std::move(socket)), owner(std::move(state)) {
      ++owner->clients;
    }
    ~Client() { --owner->clients; }

    beast::tcp_stream stream;
    std::shared_ptr<State> owner;
    beast::flat_buffer buffer{head_bytes_max};
    http::request<http::empty_body> request;
    http::response<http::string_body> response;
  };

  State(asio::io_context& io, Render call) : acceptor(io), render(std::move(call)) {}

  void accept() {
    acceptor.async_accept(
        [self = shared_from_this()](boost::system::error_code ec, asio::ip::tcp::socket socket) {
          if (!self->acceptor.is_open()) return;
          if (!ec && self->clients < clients_max) {
            serve(std::make_shared<Client>(std::move(socket), self));
          }
          self->accept();
        });
  }

  static void serve(const std::shared_ptr<Client>& client) {
    client->stream.expires_after(exchange_max);
    http::async_read(client->stream, client->buffer, client->request,
                     [client](boost::system::error_code ec, std::size_t) {
                       if (ec) return;
                       client->response = answer_to(client->request, client->owner->render);
                       http::async_write(client->stream, client->response,
                                         [client](boost::system::error_code, std::size_t) {
                                           boost::system::error_code ignored;
                                           client->stream.socket().shutdown(
                                               asio::ip::tcp::socket::shutdown_send, ignored);
                                         });
                     });
  }

  asio::ip::tcp::acceptor acceptor;
  Render render;
  std::size_t clients = 0;
};

MetricsServer::MetricsServer(asio::io_context& io, const std::string& address, Render render)
    : state_(std::make_shared<State>(io, std::move(render))) {
  try {
    const asio::ip::tcp::endpoint endpoint = parse_endpoint(address);
    state_->acceptor.open(endpoint.protocol());
    state_->acceptor.set_option(asio::socket_base::reuse_address(true));
    state_->acceptor.bind(endpoint);
    state_->acceptor.listen();
  } catch (const std::exception& failed) {
    throw std::runtime_error(
        fmt::format("cannot listen on {} for `metrics`: {}", address, failed.what()));
  }
  state_->accept();
}

MetricsServer::~MetricsServer() {
  boost::system::error_code ignored;
  state_->acceptor.close(ignored);
}

}  // namespace portero

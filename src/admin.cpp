#include "admin.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include "base/log.hpp"

namespace asio = boost::asio;
using asio::local::stream_protocol;

namespace portero {
namespace {

constexpr std::size_t request_bytes_max = 4096;
constexpr std::chrono::seconds request_time_max{5};

// One admin connection; kept alive by its own pending operations.
struct AdminConnection : std::enable_shared_from_this<AdminConnection> {
  AdminConnection(stream_protocol::socket accepted, AdminServer::Answer answer_request)
      : socket(std::move(accepted)),
        timer(socket.get_executor()),
        answer(std::move(answer_request)) {}

  void start() {
    auto self = shared_from_this();
    timer.expires_after(request_time_max);
    timer.async_wait([self](boost::system::error_code ec) {
      if (!ec) self->socket.close();
    });
    asio::async_read_until(socket, asio::dynamic_buffer(request, request_bytes_max), '\n',
                           [self](boost::system::error_code ec, std::size_t size) {
                             if (!ec) self->reply(size);
                           });
  }

  void reply(std::size_t line_size) {
    timer.cancel();
    response = answer(std::string_view(request).substr(0, line_size - 1));
    response += '\n';
    auto self = shared_from_this();
    asio::async_write(socket, asio::buffer(response),
                      [self](boost::system::error_code, std::size_t) {});
  }

  stream_protocol::socket socket;
  asio::steady_timer timer;
  AdminServer::Answer answer;
  std::string request;
  std::string response;
};

}  // namespace

struct AdminServer::State : std::enable_shared_from_this<AdminServer::State> {
  State(asio::io_context& io, std::string socket_path, Answer answer_request)
      : acceptor(io), path(std::move(socket_path)), answer(std::move(answer_request)) {}

  void listen() {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    const stream_protocol::endpoint endpoint(path);
    boost::system::error_code ec;
    stream_protocol::socket probe(acceptor.get_executor());
    probe.connect(endpoint, ec);
    if (!ec) {
      throw std::runtime_error(fmt::format(
          "another portero answers on {}: stop it first, or give this one its own `admin:`", path));
    }
    ::unlink(path.c_str());
    acceptor.open(endpoint.protocol());
    acceptor.bind(endpoint);
    ::chmod(path.c_str(), S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP);
    acceptor.listen();
    accept();
  }

  void accept() {
    acceptor.async_accept(
        [self = shared_from_this()](boost::system::error_code ec, stream_protocol::socket socket) {
          if (ec == asio::error::operation_aborted) return;
          if (!ec) std::make_shared<AdminConnection>(std::move(socket), self->answer)->start();
          self->accept();
        });
  }

  stream_protocol::acceptor acceptor;
  std::string path;
  Answer answer;
};

AdminServer::AdminServer(asio::io_context& io, std::string path, Answer answer)
    : state_(std::make_shared<State>(io, std::move(path), std::move(answer))) {
  try {
    state_->listen();
  } catch (const std::system_error& failed) {
    throw std::runtime_error(
        fmt::format("cannot open the admin socket {}: {}; set `admin: unix:/path` to a folder that "
                    "this user may write to",
                    state_->path, failed.code().message()));
  }
}

AdminServer::~AdminServer() { close(); }

void AdminServer::close() {
  boost::system::error_code ignored;
  if (!state_->acceptor.is_open()) return;
  state_->acceptor.close(ignored);
  ::unlink(state_->path.c_str());
}

std::string admin_socket_path(std::string_view address) {
  constexpr std::string_view prefix = "unix:";
  if (address.starts_with(prefix)) address.remove_prefix(prefix.size());
  return std::string(address);
}

std::string admin_call(const std::string& path, const std::string& request) {
  asio::io_context io;
  stream_protocol::socket socket(io);
  boost::system::error_code ec;
  socket.connect(stream_protocol::endpoint(path), ec);
  if (ec == boost::system::errc::permission_denied) {
    throw std::runtime_error(fmt::format(
        "no permission for {}: use sudo, or join the group that owns the socket", path));
  }
  if (ec) {
    throw std::runtime_error(fmt::format(
        "no portero answers on {} ({}): is the service running? (systemctl status portero)", path,
        ec.message()));
  }
  asio::write(socket, asio::buffer(request + "\n"));
  std::string answer;
  asio::read(socket, asio::dynamic_buffer(answer), ec);
  if (answer.empty()) throw std::runtime_error("portero closed the admin socket without an answer");
  return answer;
}

}  // namespace portero

// The admin socket: how `portero reload`, `stop`, `status` and `certs` talk to the running server.
// One request per connection: a line of JSON in, a JSON document out, then the end.
//   {"command":"reload"}  ->  {"ok":true,...}  or  {"ok":false,"error":"..."}
// Access is a matter of file permissions: the socket is 0660, there is no TCP.
// Thread: AdminServer the control thread; admin_call() any (it blocks).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>

namespace portero {

class AdminServer {
 public:
  // Answers a request; called on the control thread.
  using Answer = std::function<std::string(std::string_view request)>;

  // Binds `path`, replacing a socket that nobody listens on any more.
  // Throws std::runtime_error saying what is in the way.
  AdminServer(boost::asio::io_context& io, std::string path, Answer answer);
  ~AdminServer();

  void close();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// "unix:/run/x.sock" -> "/run/x.sock".
std::string admin_socket_path(std::string_view address);

// Sends one request and returns the answer.
// Throws std::runtime_error with a hint when nobody listens or the permission is missing.
std::string admin_call(const std::string& path, const std::string& request);

}  // namespace portero

// Answers Prometheus: GET /metrics over plain HTTP, on a listener of its own.
// Thread: control. Owner: Control.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

namespace portero {

class MetricsServer {
 public:
  using Render = std::function<std::string()>;

  // Listens on "address:port". Throws std::runtime_error saying what is in the way.
  MetricsServer(boost::asio::io_context& io, const std::string& address, Render render);
  ~MetricsServer();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace portero

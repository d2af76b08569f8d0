// The control thread's loop (Boost.Asio): signals, the admin socket, periodic work. What each of
// them means is the Server's business; this only calls it. The data plane never runs here.
// Thread: run() makes the calling thread the control thread; post() and stop() any.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace portero {

class Control {
 public:
  Control();
  ~Control();

  void on_terminate(std::function<void()> call);  // SIGTERM, SIGINT
  void on_hang_up(std::function<void()> call);    // SIGHUP
  // Calls every `period` from now on; a call that takes longer delays the next.
  void every(std::chrono::milliseconds period, std::function<void()> call);
  // Answers admin requests; throws std::runtime_error when the socket cannot be opened.
  void serve_admin(const std::string& path, std::function<std::string(std::string_view)> answer);
  // Answers Prometheus on "address:port" from now on, and nowhere else; "" is nowhere. Throws
  // std::runtime_error when that cannot be listened on, and leaves everything as it was.
  void serve_metrics(const std::string& address, std::function<std::string()> render);

  void run();
  void stop();
  void post(std::function<void()> call);
  // Runs `call` on the job pool (two threads), for what blocks: name look-ups, CA calls, fsync.
  void post_job(std::function<void()> call);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace portero

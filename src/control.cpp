#include "control.hpp"

#include <csignal>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include "admin.hpp"
#include "metrics_server.hpp"

namespace asio = boost::asio;

namespace portero {
namespace {

constexpr std::size_t job_threads = 2;

struct Periodic {
  asio::steady_timer timer;
  std::chrono::milliseconds period;
  std::function<void()> call;

  void arm() {
    timer.expires_after(period);
    timer.async_wait([this](boost::system::error_code ec) {
      if (ec) return;
      call();
      arm();
    });
  }
};

}  // namespace

struct Control::State {
  void wait_for_signal() {
    signals.async_wait([this](boost::system::error_code ec, int number) {
      if (ec) return;
      if (number == SIGHUP) {
        if (hang_up) hang_up();
      } else if (terminate) {
        terminate();
      }
      wait_for_signal();
    });
  }

  asio::io_context io{1};
  asio::signal_set signals{io, SIGTERM, SIGINT, SIGHUP};
  std::vector<std::unique_ptr<Periodic>> periodic;
  std::unique_ptr<AdminServer> admin;
  std::unique_ptr<MetricsServer> metrics;
  std::string metrics_address;
  std::function<void()> terminate;
  std::function<void()> hang_up;
  asio::thread_pool jobs{job_threads};
};

Control::Control() : state_(std::make_unique<State>()) { state_->wait_for_signal(); }

Control::~Control() {
  state_->jobs.stop();
  state_->jobs.join();
}

void Control::on_terminate(std::function<void()> call) { state_->terminate = std::move(call); }

void Control::on_hang_up(std::function<void()> call) { state_->hang_up = std::move(call); }

void Control::every(std::chrono::milliseconds period, std::function<void()> call) {
  state_->periodic.push_back(std::make_unique<Periodic>(
      Periodic{asio::steady_timer(state_->io), period, std::move(call)}));
  state_->periodic.back()->arm();
}

void Control::serve_admin(const std::string& path,
                          std::function<std::string(std::string_view)> answer) {
  state_->admin = std::make_unique<AdminServer>(state_->io, path, std::move(answer));
}

void Control::serve_metrics(const std::string& address, std::function<std::string()> render) {
  if (address == state_->metrics_address) return;
  std::unique_ptr<MetricsServer> next;
  if (!address.empty()) {
    next = std::make_unique<MetricsServer>(state_->io, address, std::move(render));
  }
  state_->metrics = std::move(next);
  state_->metrics_address = address;
}

void Control::run() { state_->io.run(); }

void Control::stop() {
  state_->admin.reset();
  state_->metrics.reset();
  state_->io.stop();
}

void Control::post(std::function<void()> call) { asio::post(state_->io, std::move(call)); }

void Control::post_job(std::function<void()> call) { asio::post(state_->jobs, std::move(call)); }

}  // namespace portero

#include "site_service.hpp"

#include "snapshot.hpp"
#include "worker.hpp"

namespace portero {
namespace {

class SiteService final : public http::Service {
 public:
  explicit SiteService(Worker& worker) noexcept : worker_(worker) {}

  Task<> serve(http::Exchange& exchange) override {
    worker_.count_request();
    // The reference keeps the routes of this exchange alive across a reload.
    const SnapshotPointer snapshot = worker_.snapshot();
    co_await snapshot->serve(exchange);
  }
  bool draining() const noexcept override { return worker_.draining(); }

 private:
  Worker& worker_;
};

class HubService final : public http::Service {
 public:
  explicit HubService(Worker& worker) noexcept : worker_(worker) {}

  Task<> serve(http::Exchange& exchange) override {
    worker_.count_request();
    const SnapshotPointer snapshot = worker_.snapshot();
    co_await snapshot->serve_hub(exchange);
  }
  bool draining() const noexcept override { return worker_.draining(); }

 private:
  Worker& worker_;
};

}  // namespace

std::unique_ptr<http::Service> make_site_service(Worker& worker) {
  return std::make_unique<SiteService>(worker);
}

std::unique_ptr<http::Service> make_hub_service(Worker& worker) {
  return std::make_unique<HubService>(worker);
}

}  // namespace portero

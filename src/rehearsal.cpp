#include "rehearsal.hpp"

#include <ctime>
#include <stdexcept>

#include <fmt/format.h>

#include "base/log_file.hpp"
#include "certificates.hpp"
#include "snapshot.hpp"

namespace portero {
namespace {

// A worker that serves nothing.
class Understudy {
 public:
  explicit Understudy(const conf::Config& config)
      : parts_(worker_parts(context_, config.storage)) {}

  std::vector<std::string> play(const conf::Config& config) {
    for (const conf::Site& site : config.sites) {
      const Explained<std::unique_ptr<proxy::Site>> built =
          proxy::build_site(site, 0, parts_->factory());
      if (!built) failures_.push_back(built.error());
      if (site.tls.mode == conf::TlsMode::files) {
        attempt([&] { load_site_files(site, std::time(nullptr)); });
      }
      if (!site.tls.client_ca.empty()) attempt([&] { load_client_roots(site); });
      if (!site.log.group.empty()) {
        attempt([&] { log::group_id(site.log.group); },
                fmt::format("{}:{}: log: ", site.where.file, site.where.line));
      }
    }
    return std::move(failures_);
  }

 private:
  // `work` names the place in what it throws; `place` is for what does not.
  template <class Work>
  void attempt(Work work, const std::string& place = {}) {
    try {
      work();
    } catch (const std::runtime_error& failed) {
      failures_.push_back(place + failed.what());
    }
  }

  net::Loop loop_;
  hub::Hub hub_{1};
  hub::HubShard shard_{hub_, 0, loop_, loop_.timers()};
  proxy::RateTable rates_;
  proxy::PasswordThread passwords_;
  proxy::PasswordDesk desk_{passwords_, loop_};
  WorkerContext context_{loop_, shard_, proxy::PoolSet(loop_, {nullptr, {}, false}),
                         {},    rates_, desk_};
  std::unique_ptr<SiteParts> parts_;
  std::vector<std::string> failures_;
};

}  // namespace

std::vector<std::string> rehearse(const conf::Config& config) {
  return Understudy(config).play(config);
}

}  // namespace portero

// `limits: {connections, handshakes}` of sites: what counts before there is a request.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "conf/config.hpp"
#include "http/exchange.hpp"
#include "net/handshake_guard.hpp"
#include "proxy/forwarded.hpp"
#include "proxy/rate_table.hpp"

namespace portero {

// How many connections are open for each key. Thread: any; shared by all workers.
class ConnectionTable {
 public:
  // Returns how many there are now, this one included.
  unsigned add(std::uint64_t key);
  void remove(std::uint64_t key) noexcept;

 private:
  static constexpr std::size_t shards = 64;
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::uint64_t, unsigned> counts;
  };
  std::array<Shard, shards> shards_;
};

// Thread: the worker's. Owner: the worker.
class ConnectionLimits final : public net::HandshakeGuard {
 public:
  ConnectionLimits(proxy::RateTable& rates, ConnectionTable& connections)
      : rates_(rates), connections_(connections) {}

  void adopt(const conf::Config& config);
  bool empty() const noexcept { return by_host_.empty(); }

  bool admits(std::string_view name, const IpAddress& client) noexcept override;

 private:
  friend class ConnectionPass;
  struct Limits {
    std::string scope;
    std::string host;
    std::optional<unsigned> connections;
    std::optional<proxy::RateTable::Limit> handshakes;
    proxy::TrustedProxies trusted;
  };
  using LimitsPointer = std::shared_ptr<const Limits>;

  const Limits* find(std::string_view host) const;

  proxy::RateTable& rates_;
  ConnectionTable& connections_;
  std::map<std::string, LimitsPointer, std::less<>> by_host_;  // as sites are named; "" = any
};

// What one connection counts for, from the moment its site is known to its end. Thread: the
// worker's. Owner: the frame of the connection.
class ConnectionPass final : public http::ConnectionGuard {
 public:
  ConnectionPass(ConnectionLimits& limits, const IpAddress& client)
      : limits_(limits), client_(client) {}
  ~ConnectionPass() override;
  ConnectionPass(const ConnectionPass&) = delete;
  ConnectionPass& operator=(const ConnectionPass&) = delete;

  // Before the first admits(): a PROXY header may have said who it is.
  void set_client(const IpAddress& client) noexcept { client_ = client; }
  bool admits(std::string_view host) override;
  // So far past the limit that there is not even an answer.
  bool is_hopeless() const noexcept { return hopeless_; }

 private:
  ConnectionLimits& limits_;
  IpAddress client_;
  std::uint64_t key_ = 0;  // 0 = counts for nothing
  bool is_known_ = false;  // the site is
  bool admitted_ = true;
  bool hopeless_ = false;
};

}  // namespace portero

#include "connection_limits.hpp"

#include "base/clock.hpp"
#include "proxy/rate_gate.hpp"

namespace portero {

unsigned ConnectionTable::add(std::uint64_t key) {
  Shard& shard = shards_[key % shards];
  const std::lock_guard lock(shard.mutex);
  return ++shard.counts[key];
}

void ConnectionTable::remove(std::uint64_t key) noexcept {
  Shard& shard = shards_[key % shards];
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.counts.find(key);
  if (found != shard.counts.end() && --found->second == 0) shard.counts.erase(found);
}

void ConnectionLimits::adopt(const conf::Config& config) {
  by_host_.clear();
  for (const conf::Site& site : config.sites) {
    if (!site.connections_per_ip && !site.handshakes) continue;
    auto limits = std::make_shared<Limits>();
    for (const conf::SiteName& name : site.names) limits->scope += name.text + ",";
    limits->host = site.names.front().text;
    limits->connections = site.connections_per_ip;
    if (site.handshakes) {
      limits->handshakes = proxy::to_limit(*site.handshakes);
      rates_.prepare();
    }
    limits->trusted = proxy::TrustedProxies(site.trusted_proxies);
    for (const conf::SiteName& name : site.names) by_host_.emplace(name.host, limits);
  }
}

const ConnectionLimits::Limits* ConnectionLimits::find(std::string_view host) const {
  auto found = by_host_.find(host);
  const std::size_t dot = host.find('.');
  if (found == by_host_.end() && dot != std::string_view::npos) {
    found = by_host_.find("*" + std::string(host.substr(dot)));
  }
  if (found == by_host_.end()) found = by_host_.find(std::string_view());
  return found == by_host_.end() ? nullptr : found->second.get();
}

bool ConnectionLimits::admits(std::string_view name, const IpAddress& client) noexcept {
  if (by_host_.empty()) return true;
  const Limits* const limits = find(name);
  if (limits == nullptr || !limits->handshakes || limits->trusted.contains(client)) return true;
  const std::uint64_t key =
      proxy::rate_key("handshakes " + limits->scope, proxy::client_key(client).view());
  const std::int64_t now_us = coarse_clock().monotonic_ms * 1'000;
  const proxy::RateTable::Verdict verdict = rates_.take(key, *limits->handshakes, now_us);
  if (verdict.first_refusal) proxy::log_refusal("handshakes", limits->host, client);
  return verdict.allowed;
}

ConnectionPass::~ConnectionPass() {
  if (key_ != 0) limits_.connections_.remove(key_);
}

bool ConnectionPass::admits(std::string_view host) {
  if (is_known_) return admitted_;
  is_known_ = true;
  const ConnectionLimits::Limits* const limits = limits_.find(host);
  if (limits == nullptr || !limits->connections || limits->trusted.contains(client_)) return true;
  key_ = proxy::rate_key("connections " + limits->scope, proxy::client_key(client_).view());
  const unsigned count = limits_.connections_.add(key_);
  const unsigned limit = *limits->connections;
  admitted_ = count <= limit;
  hopeless_ = count > 2 * limit + 1;
  if (count == limit + 1) proxy::log_refusal("connections", limits->host, client_);
  return admitted_;
}

}  // namespace portero

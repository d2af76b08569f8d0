#include "proxy/rate_gate.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "base/clock.hpp"
#include "base/log.hpp"

namespace portero::proxy {
namespace {

constexpr std::int64_t us_per_ms = 1'000;
constexpr std::int64_t us_per_s = 1'000'000;

std::int64_t up_to_seconds(std::int64_t us) noexcept {
  return std::max<std::int64_t>((us + us_per_s - 1) / us_per_s, 1);
}

}  // namespace

ClientKey client_key(const IpAddress& client) noexcept {
  constexpr std::size_t network_bytes = 8;
  ClientKey key;
  const std::size_t kept = client.is_v4() ? key.bytes.size() : network_bytes;
  std::memcpy(key.bytes.data(), client.bytes.data(), kept);
  return key;
}

RateTable::Limit to_limit(const conf::RequestRate& rate) noexcept {
  const std::int64_t interval_us = rate.per.count() * us_per_ms / std::max(rate.count, 1U);
  return {std::max<std::int64_t>(interval_us, 1), std::max(rate.burst, 1U)};
}

void log_refusal(std::string_view limit, std::string_view site, const IpAddress& client) {
  log::warn("limit.refused", log::kv("client_ip", client.to_string()), log::kv("limit", limit),
            log::kv("host", site));
}

RateGate::RateGate(const std::vector<conf::RequestRate>& rates, RateTable& table) : table_(table) {
  table_.prepare();
  for (const conf::RequestRate& rate : rates) {
    Rate compiled;
    compiled.scope = rate.scope;
    compiled.name = rate.subject;
    compiled.by_path = rate.subject == "path";
    constexpr std::string_view header = "header.";
    if (rate.subject.starts_with(header)) compiled.header = rate.subject.substr(header.size());
    compiled.limit = to_limit(rate);
    rates_.push_back(std::move(compiled));
  }
}

std::string_view RateGate::subject(const Rate& rate, http::Exchange& exchange) {
  const http::Request& request = exchange.request;
  if (rate.by_path) {
    const std::string_view sent =
        request.original_target.empty() ? request.target : request.original_target;
    return sent.substr(0, sent.find('?'));
  }
  if (rate.header.empty()) return exchange.arena.copy(client_key(request.client_ip).view());
  const http::Field* const field = request.headers.find(rate.header);
  return field == nullptr ? std::string_view() : field->value;
}

Task<Result<bool>> RateGate::admit(http::Exchange& exchange) {
  const std::int64_t now_us = coarse_clock().monotonic_ms * us_per_ms;
  std::int64_t fewest = INT64_MAX;
  for (const Rate& rate : rates_) {
    const std::uint64_t key = rate_key(rate.scope, subject(rate, exchange));
    const RateTable::Verdict verdict = table_.take(key, rate.limit, now_us);
    if (verdict.remaining < fewest) {
      fewest = verdict.remaining;
      const std::int64_t wait_us = verdict.next_token_us;
      exchange.rate_limit = exchange.arena.copy(
          fmt::format("\"{}\";r={};t={}", rate.name, verdict.remaining,
                      wait_us == 0 ? up_to_seconds(verdict.full_us) : up_to_seconds(wait_us)));
    }
    if (verdict.allowed) continue;
    if (verdict.first_refusal) {
      log_refusal("requests", exchange.request.host, exchange.request.client_ip);
    }
    http::Response response(exchange.arena);
    response.status = 429;
    response.headers.add("Retry-After",
                         exchange.arena.copy(std::to_string(up_to_seconds(verdict.next_token_us))));
    co_return co_await refuse(exchange, response,
                              "Too many requests: please wait a moment and try again.");
  }
  co_return true;
}

RateFields::RateFields(const std::vector<conf::RequestRate>& rates) {
  for (const conf::RequestRate& rate : rates) {
    if (!policy_.empty()) policy_ += ", ";
    policy_ += fmt::format("\"{}\";q={};w={}", rate.subject, rate.count,
                           std::max<std::int64_t>(rate.per.count() / 1'000, 1));
  }
}

void RateFields::apply(http::Exchange& exchange, http::Response& response) const {
  if (exchange.rate_limit.empty()) return;
  response.headers.add("RateLimit-Policy", policy_);
  response.headers.add("RateLimit", exchange.rate_limit);
}

}  // namespace portero::proxy

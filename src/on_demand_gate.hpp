// A worker's view of certificates on demand: which names are being decided, which were refused.
// Thread: the worker's. Owner: the worker.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "net/name_gate.hpp"

namespace portero {

class OnDemandGate final : public net::NameGate {
 public:
  static constexpr std::size_t waiting_max = 1'000;  // handshakes
  static constexpr std::size_t refused_max = 1'000;  // names that are remembered
  static constexpr std::int64_t refused_for_ms = 10'000;

  // Asks control; settle() follows.
  using Ask = std::function<void(const std::string& name, const IpAddress& client)>;

  explicit OnDemandGate(Ask ask) : ask_(std::move(ask)) {}

  Verdict ask(std::string_view name, const IpAddress& client) noexcept override;
  // The certificate is there now, or it will not come.
  void settle(const std::string& name, bool is_there);

 private:
  const Ask ask_;
  std::set<std::string, std::less<>> pending_;
  std::map<std::string, std::int64_t, std::less<>> refused_;  // until, in monotonic ms
};

}  // namespace portero

#include "acme/dns_proof.hpp"

#include <chrono>

#include <fmt/format.h>

#include "acme/jws.hpp"
#include "acme/openssl_parts.hpp"
#include "acme/problem.hpp"
#include "base/log.hpp"

namespace portero::acme {
namespace {

constexpr std::chrono::seconds propagation_max{120};
constexpr std::chrono::milliseconds first_look{100};
constexpr std::chrono::milliseconds longest_pause{2'000};

}  // namespace

std::string challenge_record_name(const std::string& name) {
  return "_acme-challenge." + (name.starts_with("*.") ? name.substr(2) : name);
}

DnsProof::DnsProof(const DnsTools& tools, StopSignal& stop, const std::string& name,
                   const std::string& key_authorization)
    : tools_(tools), stop_(stop) {
  try {
    const DnsPlace place = tools_.client.place_of(challenge_record_name(name));
    record_ = {place.name, place.zone, base64url(sha256(key_authorization))};
    tools_.provider.present(record_);
    try {
      wait_until_seen(place);
    } catch (...) {
      remove();
      throw;
    }
  } catch (const AcmeFailure& failed) {
    throw AcmeFailure(fmt::format("dns-01: {}", failed.what()), "dns");
  }
}

DnsProof::~DnsProof() { remove(); }

void DnsProof::remove() noexcept {
  if (stop_.flag()) return;
  try {
    tools_.provider.clean_up(record_);
  } catch (const std::exception& failed) {
    log::warn("acme.dns_record_left", log::kv("name", record_.name),
              log::kv("value", record_.value), log::kv("error", failed.what()));
  } catch (const Stopped&) {
    log::warn("acme.dns_record_left", log::kv("name", record_.name),
              log::kv("value", record_.value), log::kv("error", "the server stops"));
  }
}

// The zone's own servers count, as a resolver may remember that there was nothing; where they
// cannot be found, the resolvers do.
void DnsProof::wait_until_seen(const DnsPlace& place) {
  const auto given_up = std::chrono::steady_clock::now() + propagation_max;
  std::chrono::milliseconds pause = first_look;
  const auto wait = [&](const std::string& where) {
    if (std::chrono::steady_clock::now() > given_up) {
      throw AcmeFailure(
          fmt::format("two minutes after it was put there, {} has no TXT record {} "
                      "with the value; does the provider keep the zone {}?",
                      where, record_.name, record_.zone));
    }
    stop_.pause(pause);
    pause = std::min(pause * 2, longest_pause);
  };
  for (const DnsServer& server : place.servers) {
    while (!tools_.client.has_text(server, record_.name, record_.value)) {
      wait("the name server " + server.text());
    }
  }
  if (!place.servers.empty()) return;
  while (!tools_.client.has_text(record_.name, record_.value)) wait("the resolver");
}

}  // namespace portero::acme

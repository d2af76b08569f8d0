#include "acme/dns_client.hpp"

#include <sys/time.h>

#include <cstdlib>
#include <functional>
#include <optional>

#include <fmt/format.h>

#include "acme/dns_message.hpp"
#include "acme/problem.hpp"
#include "base/bytes.hpp"

namespace portero::acme {
namespace {

constexpr timeval answer_wait{3, 0};
constexpr std::uint8_t tries = 2;
constexpr int aliases_max = 8;
constexpr std::size_t servers_max = 8;  // of a zone that are asked

bool is_usable(const ldns_pkt& message) {
  const ldns_pkt_rcode code = ldns_pkt_get_rcode(&message);
  return code == LDNS_RCODE_NOERROR || code == LDNS_RCODE_NXDOMAIN;
}

DnsMessage ask(const DnsServer& server, const std::string& name, ldns_rr_type type,
               std::uint16_t flags, std::string& problem) {
  const DnsResolver resolver = resolver_for(server);
  const DnsField asked = dns_name(name);
  ldns_pkt* answer = nullptr;
  const ldns_status status = ldns_resolver_query_status(&answer, resolver.get(), asked.get(), type,
                                                        LDNS_RR_CLASS_IN, flags);
  DnsMessage message(answer);
  if (status != LDNS_STATUS_OK || message == nullptr) {
    problem = fmt::format("{} does not answer", server.text());
    return nullptr;
  }
  if (!is_usable(*message)) {
    problem = fmt::format("{} answers {} for {}", server.text(), dns_code(*message), name);
    return nullptr;
  }
  return message;
}

// The first resolver's answer that is one.
DnsMessage look_up(const std::vector<DnsServer>& resolvers, const std::string& name,
                   ldns_rr_type type) {
  std::string problems;
  for (const DnsServer& server : resolvers) {
    std::string problem;
    if (DnsMessage message = ask(server, name, type, LDNS_RD, problem)) return message;
    problems += (problems.empty() ? "" : "; ") + problem;
  }
  throw AcmeFailure(fmt::format("DNS: {} cannot be looked up: {}", name,
                                problems.empty() ? "there is no resolver" : problems));
}

using OnRecord = std::function<void(const ldns_rr&)>;

void each_record(const ldns_rr_list* records, ldns_rr_type type, const OnRecord& use) {
  for (std::size_t i = 0; i < ldns_rr_list_rr_count(records); ++i) {
    const ldns_rr* const record = ldns_rr_list_rr(records, i);
    if (ldns_rr_get_type(record) == type) use(*record);
  }
}

void each_answer(const ldns_pkt& message, ldns_rr_type type, const OnRecord& use) {
  each_record(ldns_pkt_answer(&message), type, use);
}

// The text of a TXT record: its strings put together. Source: RFC 1035 §3.3.14.
std::string text_of(const ldns_rr& record) {
  std::string text;
  for (std::size_t i = 0; i < ldns_rr_rd_count(&record); ++i) {
    const ldns_rdf* const field = ldns_rr_rdf(&record, i);
    const std::size_t size = ldns_rdf_size(field);
    if (size > 1) text.append(reinterpret_cast<const char*>(ldns_rdf_data(field)) + 1, size - 1);
  }
  return text;
}

bool has_text_in(const ldns_pkt& message, const std::string& value) {
  bool found = false;
  each_answer(message, LDNS_RR_TYPE_TXT,
              [&](const ldns_rr& record) { found = found || text_of(record) == value; });
  return found;
}

std::optional<std::string> alias_of(const ldns_pkt& message, const std::string& name) {
  std::optional<std::string> target;
  each_answer(message, LDNS_RR_TYPE_CNAME, [&](const ldns_rr& record) {
    if (dns_text(ldns_rr_owner(&record)) == name) target = dns_text(ldns_rr_rdf(&record, 0));
  });
  return target;
}

std::string parent_of(const std::string& name) {
  const std::size_t dot = name.find('.');
  return dot == std::string::npos ? std::string() : name.substr(dot + 1);
}

// The zone that a name is in: whose SOA its servers answer with, in the answer or, for a name
// within a zone, beside it. Source: RFC 2308 §3.
std::string zone_in(const ldns_pkt& message, const std::string& name) {
  std::string zone;
  const OnRecord take = [&](const ldns_rr& record) {
    const std::string owner = dns_text(ldns_rr_owner(&record));
    if (owner.empty()) return;
    if (name == owner || name.ends_with("." + owner)) zone = owner;
  };
  each_answer(message, LDNS_RR_TYPE_SOA, take);
  if (zone.empty()) each_record(ldns_pkt_authority(&message), LDNS_RR_TYPE_SOA, take);
  return zone;
}

std::vector<DnsServer> system_resolvers() {
  std::vector<DnsServer> servers;
  ldns_resolver* made = nullptr;
  if (ldns_resolver_new_frm_file(&made, nullptr) == LDNS_STATUS_OK) {
    const DnsResolver resolver(made);
    for (std::size_t i = 0; i < ldns_resolver_nameserver_count(made); ++i) {
      char* const text = ldns_rdf2str(ldns_resolver_nameservers(made)[i]);
      servers.push_back({text, 53});
      std::free(text);
    }
  }
  if (servers.empty()) servers.push_back({"127.0.0.1", 53});  // as resolv.conf(5) has it
  return servers;
}

}  // namespace

DnsServer DnsServer::parse(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  const bool is_bare = text.find(':') != colon && !text.starts_with('[');  // an IPv6 address
  if (colon == std::string::npos || is_bare) return {text, 53};
  DnsServer server{text.substr(0, colon),
                   static_cast<std::uint16_t>(std::strtoul(text.c_str() + colon + 1, nullptr, 10))};
  if (server.address.starts_with('[')) {
    server.address = server.address.substr(1, server.address.size() - 2);
  }
  return server;
}

std::string DnsServer::text() const {
  const bool is_v6 = address.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", is_v6 ? "[" : "", address, is_v6 ? "]" : "", port);
}

DnsField dns_name(const std::string& text) {
  DnsField name(ldns_dname_new_frm_str(text.c_str()));
  if (name == nullptr) throw AcmeFailure(fmt::format("\"{}\" cannot be a DNS name", text));
  return name;
}

std::string dns_text(const ldns_rdf* name) {
  char* const made = ldns_rdf2str(name);
  std::string text = made == nullptr ? "" : made;
  std::free(made);
  if (text.ends_with('.')) text.pop_back();
  return to_lower(text);
}

DnsResolver resolver_for(const DnsServer& server) {
  const bool is_v6 = server.address.find(':') != std::string::npos;
  const DnsField address(
      ldns_rdf_new_frm_str(is_v6 ? LDNS_RDF_TYPE_AAAA : LDNS_RDF_TYPE_A, server.address.c_str()));
  DnsResolver resolver(ldns_resolver_new());
  if (address == nullptr || resolver == nullptr) {
    throw AcmeFailure(fmt::format("\"{}\" is not the address of a DNS server", server.address));
  }
  ldns_resolver_push_nameserver(resolver.get(), address.get());
  ldns_resolver_set_port(resolver.get(), server.port);
  ldns_resolver_set_timeout(resolver.get(), answer_wait);
  ldns_resolver_set_retry(resolver.get(), tries);
  ldns_resolver_set_retrans(resolver.get(), 0);
  ldns_resolver_set_fallback(resolver.get(), true);  // TCP for what does not fit
  return resolver;
}

std::string dns_code(const ldns_pkt& message) {
  char* const made = ldns_pkt_rcode2str(ldns_pkt_get_rcode(&message));
  std::string text = made == nullptr ? "an unknown code" : made;
  std::free(made);
  return text;
}

DnsClient::DnsClient(const std::vector<std::string>& resolvers) {
  for (const std::string& one : resolvers) resolvers_.push_back(DnsServer::parse(one));
  if (resolvers_.empty()) resolvers_ = system_resolvers();
}

DnsPlace DnsClient::place_of(const std::string& name) const {
  DnsPlace place;
  place.name = name;
  for (int i = 0;; ++i) {
    const DnsMessage answer = look_up(resolvers_, place.name, LDNS_RR_TYPE_CNAME);
    const std::optional<std::string> alias = alias_of(*answer, place.name);
    if (!alias) break;
    if (i == aliases_max) {
      throw AcmeFailure(fmt::format("DNS: the CNAMEs of {} go round in circles", name));
    }
    place.name = *alias;
  }
  for (std::string at = place.name; place.zone.empty(); at = parent_of(at)) {
    if (at.empty()) {
      throw AcmeFailure(fmt::format("DNS: no zone is found for {}", place.name));
    }
    place.zone = zone_in(*look_up(resolvers_, at, LDNS_RR_TYPE_SOA), at);
  }
  const DnsMessage servers = look_up(resolvers_, place.zone, LDNS_RR_TYPE_NS);
  std::vector<std::string> names;
  each_answer(*servers, LDNS_RR_TYPE_NS, [&](const ldns_rr& record) {
    if (names.size() < servers_max) names.push_back(dns_text(ldns_rr_rdf(&record, 0)));
  });
  for (const std::string& server : names) {
    // One address of each: an anycast server's others hold the same.
    const std::vector<std::string> known = addresses(server);
    if (!known.empty()) place.servers.push_back({known.front(), 53});
  }
  return place;
}

std::vector<std::string> DnsClient::addresses(const std::string& name) const {
  std::vector<std::string> found;
  for (const ldns_rr_type type : {LDNS_RR_TYPE_A, LDNS_RR_TYPE_AAAA}) {
    const DnsMessage answer = look_up(resolvers_, name, type);
    each_answer(*answer, type,
                [&](const ldns_rr& record) { found.push_back(dns_text(ldns_rr_rdf(&record, 0))); });
  }
  return found;
}

bool DnsClient::has_text(const DnsServer& server, const std::string& name,
                         const std::string& value) const {
  std::string problem;
  const DnsMessage answer = ask(server, name, LDNS_RR_TYPE_TXT, 0, problem);
  return answer != nullptr && has_text_in(*answer, value);
}

bool DnsClient::has_text(const std::string& name, const std::string& value) const {
  return has_text_in(*look_up(resolvers_, name, LDNS_RR_TYPE_TXT), value);
}

std::vector<CaaRecord> DnsClient::authorities(const std::string& name) const {
  std::vector<CaaRecord> found;
  for (std::string at = name; !at.empty() && found.empty(); at = parent_of(at)) {
    const DnsMessage answer = look_up(resolvers_, at, LDNS_RR_TYPE_CAA);
    each_answer(*answer, LDNS_RR_TYPE_CAA, [&](const ldns_rr& record) {
      if (ldns_rr_rd_count(&record) < 3) return;
      const ldns_rdf* const tag = ldns_rr_rdf(&record, 1);  // its length, then its letters
      const ldns_rdf* const value = ldns_rr_rdf(&record, 2);
      CaaRecord one;
      one.flags = ldns_rdf2native_int8(ldns_rr_rdf(&record, 0));
      one.tag =
          to_lower({reinterpret_cast<const char*>(ldns_rdf_data(tag)) + 1, ldns_rdf_size(tag) - 1});
      one.value.assign(reinterpret_cast<const char*>(ldns_rdf_data(value)), ldns_rdf_size(value));
      found.push_back(std::move(one));
    });
  }
  return found;
}

}  // namespace portero::acme

// Amazon Route 53. A name's values are one record set that is replaced as a whole, so changes are
// made one at a time. Source: Route 53 API reference, 2013-04-01.
#include <mutex>
#include <set>
#include <sstream>

#include <boost/property_tree/ptree.hpp>
#include <boost/property_tree/xml_parser.hpp>
#include <fmt/format.h>

#include "acme/dns_api.hpp"
#include "acme/dns_provider.hpp"
#include "acme/problem.hpp"

namespace portero::acme {
namespace {

namespace tree = boost::property_tree;

constexpr const char* region = "us-east-1";  // of a global service

tree::ptree parse_xml(const std::string& text) {
  tree::ptree parsed;
  std::istringstream in(text);
  try {
    tree::read_xml(in, parsed, tree::xml_parser::trim_whitespace);
  } catch (const tree::xml_parser_error&) {
    throw AcmeFailure("Route 53 answers something that is no XML");
  }
  return parsed;
}

class Route53 final : public DnsProvider {
 public:
  Route53(const conf::Dns& settings, HttpClient& http) : settings_(settings), http_(http) {
    if (settings_.api.empty()) settings_.api = "https://route53.amazonaws.com";
    while (settings_.api.ends_with('/')) settings_.api.pop_back();
  }

  void present(const TxtRecord& record) override {
    change(record, [&record](std::set<std::string>& values) { values.insert(quoted(record)); });
  }

  void clean_up(const TxtRecord& record) override {
    change(record, [&record](std::set<std::string>& values) { values.erase(quoted(record)); });
  }

 private:
  static std::string quoted(const TxtRecord& record) { return '"' + record.value + '"'; }

  template <class Edit>
  void change(const TxtRecord& record, Edit edit) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const std::string zone = zone_path(record.zone);
    std::set<std::string> before;
    unsigned kept_ttl = ttl;
    read_values(zone, record.name, before, kept_ttl);
    std::set<std::string> after = before;
    edit(after);
    if (after == before) return;
    // A set is deleted by naming all that it holds.
    const bool is_delete = after.empty();
    std::string records;
    for (const std::string& value : is_delete ? before : after) {
      records += fmt::format("<ResourceRecord><Value>{}</Value></ResourceRecord>", value);
    }
    send("POST", zone + "/rrset",
         fmt::format(R"(<?xml version="1.0" encoding="UTF-8"?>)"
                     R"(<ChangeResourceRecordSetsRequest xmlns="https://route53.amazonaws.com/doc)"
                     R"(/2013-04-01/"><ChangeBatch><Changes><Change><Action>{}</Action>)"
                     R"(<ResourceRecordSet><Name>{}.</Name><Type>TXT</Type><TTL>{}</TTL>)"
                     R"(<ResourceRecords>{}</ResourceRecords></ResourceRecordSet></Change>)"
                     R"(</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>)",
                     is_delete ? "DELETE" : "UPSERT", record.name, kept_ttl, records));
  }

  // "/2013-04-01/hostedzone/Z123"; the public zone of that name, where there is a private one too.
  std::string zone_path(const std::string& zone) {
    const tree::ptree answer =
        send("GET", fmt::format("/2013-04-01/hostedzonesbyname?dnsname={}&maxitems=10", zone), "");
    const auto zones = answer.get_child_optional("ListHostedZonesByNameResponse.HostedZones");
    for (const auto& [tag, one] : zones ? *zones : tree::ptree()) {
      if (one.get<std::string>("Name", "") != zone + ".") continue;
      if (one.get<std::string>("Config.PrivateZone", "false") == "true") continue;
      return "/2013-04-01" + one.get<std::string>("Id", "");
    }
    throw AcmeFailure(fmt::format("Route 53 has no public hosted zone {} for this key", zone));
  }

  void read_values(const std::string& zone, const std::string& name, std::set<std::string>& values,
                   unsigned& kept_ttl) {
    const tree::ptree answer =
        send("GET", fmt::format("{}/rrset?maxitems=1&name={}&type=TXT", zone, name), "");
    const auto sets =
        answer.get_child_optional("ListResourceRecordSetsResponse.ResourceRecordSets");
    for (const auto& [tag, set] : sets ? *sets : tree::ptree()) {
      const bool is_ours = set.get<std::string>("Name", "") == name + "." &&
                           set.get<std::string>("Type", "") == "TXT";
      if (!is_ours) continue;  // the list begins there, and may go on with others
      kept_ttl = set.get<unsigned>("TTL", ttl);
      for (const auto& [record, one] : set.get_child("ResourceRecords", {})) {
        values.insert(one.get<std::string>("Value", ""));
      }
    }
  }

  tree::ptree send(const std::string& method, const std::string& path, const std::string& body) {
    HttpRequest request;
    request.method = method;
    request.url = settings_.api + path;
    request.body = body;
    request.aws = {settings_.access_key_id, settings_.secret_access_key, region, "route53"};
    if (!body.empty()) request.headers.emplace_back("Content-Type", "application/xml");
    if (!settings_.session_token.empty()) {
      request.headers.emplace_back("X-Amz-Security-Token", settings_.session_token);
    }
    const Explained<HttpResponse> response = http_.send(request);
    if (!response) throw AcmeFailure("cannot reach Route 53: " + response.error());
    tree::ptree answer = parse_xml(response->body);
    if (response->status < 200 || response->status >= 300) {
      throw AcmeFailure(
          fmt::format("Route 53 answers {}: {}", response->status,
                      answer.get<std::string>("ErrorResponse.Error.Message", "no reason given")));
    }
    return answer;
  }

  conf::Dns settings_;
  HttpClient& http_;
  std::mutex mutex_;
};

}  // namespace

std::unique_ptr<DnsProvider> make_route53(const conf::Dns& settings, HttpClient& http) {
  return std::make_unique<Route53>(settings, http);
}

}  // namespace portero::acme

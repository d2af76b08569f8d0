// The DNS services that speak JSON. Sources: the services' API references.
#include <fmt/format.h>

#include "acme/dns_api.hpp"
#include "acme/dns_provider.hpp"
#include "acme/json_members.hpp"
#include "acme/problem.hpp"

namespace json = boost::json;

namespace portero::acme {
namespace {

std::string url_or(const std::string& given, const char* usual) {
  return given.empty() ? usual : given;
}

DnsApi::Headers bearer(const std::string& token) { return {{"Authorization", "Bearer " + token}}; }

// The object in `list` for which `holds`; nullptr when there is none.
template <class Holds>
const json::object* find_object(const json::array* list, Holds holds) {
  if (list == nullptr) return nullptr;
  for (const json::value& one : *list) {
    if (one.is_object() && holds(one.get_object())) return &one.get_object();
  }
  return nullptr;
}

class Cloudflare final : public DnsProvider {
 public:
  Cloudflare(const conf::Dns& settings, HttpClient& http)
      : api_(http, "Cloudflare", url_or(settings.api, "https://api.cloudflare.com/client/v4"),
             bearer(settings.token)) {}

  void present(const TxtRecord& record) override {
    const DnsApi::Answer answer = api_.send(
        "POST", records_of(record.zone),
        {{"type", "TXT"}, {"name", record.name}, {"content", quoted(record)}, {"ttl", ttl}});
    if (!answer.is_good() && !is_there_already(answer)) api_.refuse(answer);
  }

  void clean_up(const TxtRecord& record) override {
    const std::string records = records_of(record.zone);
    const DnsApi::Answer found = api_.demand(
        "GET", fmt::format("{}?type=TXT&per_page=100&name={}", records, url_encoded(record.name)));
    const json::object* const ours =
        find_object(list_member(found.body, "result"), [&record](const json::object& one) {
          const std::string content = text_member(one, "content");
          return content == quoted(record) || content == record.value;
        });
    if (ours != nullptr) api_.demand("DELETE", records + "/" + text_member(*ours, "id"));
  }

 private:
  static std::string quoted(const TxtRecord& record) { return '"' + record.value + '"'; }

  static bool is_there_already(const DnsApi::Answer& answer) {
    constexpr std::int64_t identical_record = 81058;
    return find_object(list_member(answer.body, "errors"), [](const json::object& one) {
             return number_member(one, "code") == identical_record;
           }) != nullptr;
  }

  std::string records_of(const std::string& zone) {
    const DnsApi::Answer zones = api_.demand("GET", "/zones?name=" + url_encoded(zone));
    const json::object* const ours =
        find_object(list_member(zones.body, "result"), [](const json::object&) { return true; });
    if (ours == nullptr) {
      throw AcmeFailure(
          fmt::format("Cloudflare has no zone {} for this token: give the token "
                      "Zone:Read and DNS:Edit for it",
                      zone));
    }
    return fmt::format("/zones/{}/dns_records", text_member(*ours, "id"));
  }

  DnsApi api_;
};

// The DNS of the Hetzner Console (Cloud API); the former DNS Console has an end.
class Hetzner final : public DnsProvider {
 public:
  Hetzner(const conf::Dns& settings, HttpClient& http)
      : api_(http, "Hetzner", url_or(settings.api, "https://api.hetzner.cloud/v1"),
             bearer(settings.token)) {}

  void present(const TxtRecord& record) override {
    json::object body = records(record);
    body["ttl"] = ttl;
    const DnsApi::Answer answer = api_.send("POST", path(record, "add_records"), body);
    if (!answer.is_good() && !holds(record)) api_.refuse(answer);
  }

  void clean_up(const TxtRecord& record) override {
    const DnsApi::Answer answer =
        api_.send("POST", path(record, "remove_records"), records(record));
    if (!answer.is_good() && answer.status != 404 && holds(record)) api_.refuse(answer);
  }

 private:
  static json::object records(const TxtRecord& record) {
    return {{"records", json::array{json::object{{"value", '"' + record.value + '"'}}}}};
  }

  static std::string path(const TxtRecord& record, std::string_view action) {
    return fmt::format("/zones/{}/rrsets/{}/TXT{}{}", record.zone,
                       url_encoded(name_in_zone(record)), action.empty() ? "" : "/actions/",
                       action);
  }

  bool holds(const TxtRecord& record) {
    const DnsApi::Answer answer = api_.send("GET", path(record, ""));
    return answer.is_good() && answer.text.find(record.value) != std::string::npos;
  }

  DnsApi api_;
};

class DigitalOcean final : public DnsProvider {
 public:
  DigitalOcean(const conf::Dns& settings, HttpClient& http)
      : api_(http, "DigitalOcean", url_or(settings.api, "https://api.digitalocean.com/v2"),
             bearer(settings.token)) {}

  void present(const TxtRecord& record) override {
    if (find(record) != 0) return;
    api_.demand(
        "POST", records_of(record),
        {{"type", "TXT"}, {"name", name_in_zone(record)}, {"data", record.value}, {"ttl", ttl}});
  }

  void clean_up(const TxtRecord& record) override {
    const std::int64_t id = find(record);
    if (id != 0) api_.demand("DELETE", fmt::format("{}/{}", records_of(record), id));
  }

 private:
  static std::string records_of(const TxtRecord& record) {
    return fmt::format("/domains/{}/records", record.zone);
  }

  // The record's number; 0 = it is not there.
  std::int64_t find(const TxtRecord& record) {
    const DnsApi::Answer found =
        api_.demand("GET", fmt::format("{}?type=TXT&per_page=200&name={}", records_of(record),
                                       url_encoded(record.name)));
    const json::object* const ours = find_object(
        list_member(found.body, "domain_records"),
        [&record](const json::object& one) { return text_member(one, "data") == record.value; });
    return ours == nullptr ? 0 : number_member(*ours, "id");
  }

  DnsApi api_;
};

// A server that holds nothing but challenge records, to which a CNAME leads. It keeps the two
// newest values, and forgets by itself.
class AcmeDns final : public DnsProvider {
 public:
  AcmeDns(const conf::Dns& settings, HttpClient& http)
      : subdomain_(settings.subdomain),
        api_(http, "acme-dns", settings.api,
             {{"X-Api-User", settings.username}, {"X-Api-Key", settings.password}}) {}

  void present(const TxtRecord& record) override {
    if (!record.name.starts_with(subdomain_ + ".")) {
      throw AcmeFailure(
          fmt::format("acme-dns: {} is not its name for this account: make it a "
                      "CNAME for the `fulldomain` that begins with {}",
                      record.name, subdomain_));
    }
    api_.demand("POST", "/update", {{"subdomain", subdomain_}, {"txt", record.value}});
  }

  void clean_up(const TxtRecord&) override {}

 private:
  const std::string subdomain_;
  DnsApi api_;
};

}  // namespace

std::string name_in_zone(const TxtRecord& record) {
  if (record.name == record.zone) return "@";
  return record.name.substr(0, record.name.size() - record.zone.size() - 1);
}

std::unique_ptr<DnsProvider> make_cloudflare(const conf::Dns& settings, HttpClient& http) {
  return std::make_unique<Cloudflare>(settings, http);
}

std::unique_ptr<DnsProvider> make_hetzner(const conf::Dns& settings, HttpClient& http) {
  return std::make_unique<Hetzner>(settings, http);
}

std::unique_ptr<DnsProvider> make_digitalocean(const conf::Dns& settings, HttpClient& http) {
  return std::make_unique<DigitalOcean>(settings, http);
}

std::unique_ptr<DnsProvider> make_acme_dns(const conf::Dns& settings, HttpClient& http) {
  return std::make_unique<AcmeDns>(settings, http);
}

std::unique_ptr<DnsProvider> make_dns_provider(const conf::Dns& settings,
                                               const DnsProviderTools& tools) {
  const std::string& provider = settings.provider;
  if (provider == "rfc2136") return make_rfc2136(settings);
  if (provider == "exec") return make_exec(settings, tools.stop);
  if (provider == "acme-dns") return make_acme_dns(settings, tools.http);
  if (provider == "cloudflare") return make_cloudflare(settings, tools.http);
  if (provider == "hetzner") return make_hetzner(settings, tools.http);
  if (provider == "digitalocean") return make_digitalocean(settings, tools.http);
  if (provider == "route53") return make_route53(settings, tools.http);
  throw AcmeFailure(fmt::format("`acme.dns`: no provider \"{}\"", provider));
}

}  // namespace portero::acme

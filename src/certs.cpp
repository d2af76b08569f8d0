#include "certs.hpp"

#include <ctime>
#include <set>

#include <boost/json.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include "acme/json_members.hpp"

namespace json = boost::json;

namespace portero {
namespace {

std::string time_text(std::time_t time) {
  return time == 0 ? std::string() : fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(time));
}

json::object describe(const acme::Standing& standing) {
  return {{"name", standing.name},
          {"source", "acme"},
          {"issuer", standing.issuer},
          {"challenge", standing.challenge},
          {"why", standing.why},
          {"not_after", time_text(standing.not_after)},
          {"renew_at", time_text(standing.renew_at)},
          {"next_try", time_text(standing.next_try)},
          {"failures", standing.failures},
          {"last_error", standing.last_error},
          {"in_progress", standing.in_progress}};
}

// A certificate that no authority has to be asked for: from files, or the internal CA's.
json::object describe(const std::string& name, const net::CertificateData& certificate) {
  return {{"name", name},
          {"source", "here"},
          {"issuer", certificate.issuer},
          {"not_after", time_text(certificate.not_after)}};
}

std::string days_left(const std::string& not_after) {
  std::tm parts{};
  if (::strptime(not_after.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts) == nullptr) return "none yet";
  const double days = std::difftime(::timegm(&parts), std::time(nullptr)) / 86'400;
  if (days < 0) return fmt::format("EXPIRED {}", not_after);
  return fmt::format("{} ({:.1f} days)", not_after, days);
}

}  // namespace

std::string certificates_json(const std::vector<acme::Standing>& standings,
                              const Generation& generation) {
  json::array rows;
  std::set<std::string> told;
  for (const acme::Standing& standing : standings) {
    rows.push_back(describe(standing));
    told.insert(standing.name);
  }
  for (const net::CertificateStore::Identity& identity : generation.certificates->identities()) {
    for (const std::string& name : identity.certificate->names) {
      if (told.insert(name).second) rows.push_back(describe(name, *identity.certificate));
    }
  }
  return json::serialize(json::object{{"ok", true}, {"certificates", std::move(rows)}});
}

std::string certificates_text(std::string_view text) {
  std::string out;
  const json::value answer = json::parse(text);
  for (const json::value& row : answer.at("certificates").as_array()) {
    const json::object& about = row.as_object();
    const auto member = [&about](const char* name) { return acme::text_member(about, name); };
    out += fmt::format("{}\n", member("name"));
    out += fmt::format("  certificate  {}\n", days_left(member("not_after")));
    if (!member("issuer").empty()) out += fmt::format("  issuer       {}\n", member("issuer"));
    const std::string challenge = member("challenge");
    const std::string why = member("why").empty() ? "" : fmt::format(" ({})", member("why"));
    if (!challenge.empty() || !why.empty()) {
      out += fmt::format("  proven by    {}{}\n", challenge, why);
    }
    if (!member("renew_at").empty()) out += fmt::format("  renewal      {}\n", member("renew_at"));
    if (acme::flag_member(about, "in_progress")) out += "  now          an order is under way\n";
    if (!member("next_try").empty()) out += fmt::format("  next try     {}\n", member("next_try"));
    if (!member("last_error").empty()) {
      out += fmt::format("  last error   {} (failure {})\n", member("last_error"),
                         acme::number_member(about, "failures"));
    }
  }
  return out.empty() ? "no site has a certificate\n" : out;
}

}  // namespace portero

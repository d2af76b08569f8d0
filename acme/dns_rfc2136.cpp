// Dynamic updates to a name server, signed with TSIG. Source: RFC 2136, RFC 8945.
#include <fmt/format.h>

#include "acme/dns_message.hpp"
#include "acme/dns_provider.hpp"
#include "acme/problem.hpp"

namespace portero::acme {
namespace {

constexpr std::uint16_t clock_skew_max = 300;  // seconds

DnsRecord make_record(const TxtRecord& record) {
  ldns_rr* made = nullptr;
  const std::string text =
      fmt::format("{}. {} IN TXT \"{}\"", record.name, DnsProvider::ttl, record.value);
  if (ldns_rr_new_frm_str(&made, text.c_str(), 0, nullptr, nullptr) != LDNS_STATUS_OK) {
    throw AcmeFailure(fmt::format("\"{}\" cannot be a DNS record", text));
  }
  return DnsRecord(made);
}

class Rfc2136 final : public DnsProvider {
 public:
  explicit Rfc2136(const conf::Dns& settings)
      : settings_(settings), server_(DnsServer::parse(settings.server)) {}

  void present(const TxtRecord& record) override { update(record.zone, make_record(record)); }

  // Deletes this value and no other. Source: RFC 2136 §2.5.4.
  void clean_up(const TxtRecord& record) override {
    DnsRecord gone = make_record(record);
    ldns_rr_set_class(gone.get(), LDNS_RR_CLASS_NONE);
    ldns_rr_set_ttl(gone.get(), 0);
    update(record.zone, std::move(gone));
  }

 private:
  void update(const std::string& zone, DnsRecord record) const {
    ldns_rr_list* const changes = ldns_rr_list_new();
    ldns_rr_list_push_rr(changes, record.get());
    DnsMessage message(
        ldns_update_pkt_new(dns_name(zone).release(), LDNS_RR_CLASS_IN, nullptr, changes, nullptr));
    ldns_rr_list_free(changes);  // the record stays ours
    if (message == nullptr) throw AcmeFailure("a DNS update cannot be made");
    ldns_pkt_set_random_id(message.get());
    const DnsResolver resolver = resolver_for(server_);
    if (!settings_.key_name.empty()) sign(*message, *resolver);
    ldns_pkt* received = nullptr;
    const ldns_status status = ldns_resolver_send_pkt(&received, resolver.get(), message.get());
    const DnsMessage answer(received);
    const std::string server = server_.text();
    if (status == LDNS_STATUS_CRYPTO_TSIG_BOGUS) {
      throw AcmeFailure(fmt::format(
          "DNS server {} does not accept the TSIG key \"{}\": its name, `algorithm` and `key` must "
          "be as the server has them, and the clocks must agree to five minutes",
          server, settings_.key_name));
    }
    if (status != LDNS_STATUS_OK || answer == nullptr) {
      throw AcmeFailure(fmt::format("DNS server {} does not answer an update", server));
    }
    if (ldns_pkt_get_rcode(answer.get()) != LDNS_RCODE_NOERROR) {
      throw AcmeFailure(
          fmt::format("DNS server {} answers {} to an update of {}: let the key {} "
                      "change TXT records of that zone",
                      server, dns_code(*answer), zone, settings_.key_name));
    }
  }

  // The resolver checks the answer's signature with the same key.
  void sign(ldns_pkt& message, ldns_resolver& resolver) const {
    const std::string algorithm =
        settings_.algorithm == "hmac-md5" ? "hmac-md5.sig-alg.reg.int." : settings_.algorithm + ".";
    ldns_resolver_set_tsig_keyname(&resolver, settings_.key_name.c_str());
    ldns_resolver_set_tsig_algorithm(&resolver, algorithm.c_str());
    ldns_resolver_set_tsig_keydata(&resolver, settings_.key.c_str());
    const ldns_status signed_well =
        ldns_pkt_tsig_sign(&message, settings_.key_name.c_str(), settings_.key.c_str(),
                           clock_skew_max, algorithm.c_str(), nullptr);
    if (signed_well != LDNS_STATUS_OK) {
      throw AcmeFailure(fmt::format("the TSIG key \"{}\" cannot be used: {}", settings_.key_name,
                                    ldns_get_errorstr_by_id(signed_well)));
    }
  }

  const conf::Dns settings_;
  const DnsServer server_;
};

}  // namespace

std::unique_ptr<DnsProvider> make_rfc2136(const conf::Dns& settings) {
  return std::make_unique<Rfc2136>(settings);
}

}  // namespace portero::acme

#include "net/certificate_store.hpp"

#include <filesystem>

#include <doctest/doctest.h>

#include "unit/net/certificates_for_test.hpp"

using namespace portero;
using namespace portero::net;

namespace {

std::shared_ptr<const CertificateData> certificate_for(const std::vector<std::string>& names) {
  const test::Pem pem = test::make_leaf(names);
  return *parse_certificate(pem.certificate, pem.key);
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("certificate_store: reads names, issuer and dates") {
  const auto data = certificate_for({"Example.com", "*.example.com", "192.0.2.7"});
  CHECK(data->names == std::vector<std::string>{"example.com", "*.example.com", "192.0.2.7"});
  CHECK(data->issuer == "test authority");
  CHECK(data->not_after - data->not_before == 86400);
  CHECK(data->chain.empty());
}

TEST_CASE(
    "certificate_store: keeps the chain behind the leaf, and takes chain and key from one text") {
  const test::Pem pem = test::make_leaf({"example.com"});
  const std::string all = pem.key + pem.certificate + test::root_pem();
  const auto data = parse_certificate(all, all);
  REQUIRE(data.has_value());
  CHECK((*data)->chain.size() == 1);
}

TEST_CASE("certificate_store: says what is wrong with a text") {
  const test::Pem one = test::make_leaf({"one.test"});
  const test::Pem two = test::make_leaf({"two.test"});
  CHECK(contains(parse_certificate("", one.key).error(), "no certificate"));
  CHECK(contains(parse_certificate("no PEM at all", one.key).error(), "no certificate"));
  CHECK(contains(parse_certificate(one.certificate, "").error(), "no private key"));
  CHECK(contains(parse_certificate(one.certificate, one.certificate).error(), "no private key"));
  CHECK(contains(parse_certificate(one.certificate, two.key).error(), "another certificate"));
  std::string damaged = one.certificate;
  damaged.replace(200, 10, "AAAAAAAAAA");
  CHECK(contains(parse_certificate(one.certificate + damaged, one.key).error(),
                 "certificate 2 is damaged"));
  const std::string cut = one.certificate.substr(0, one.certificate.size() / 2);
  CHECK(contains(parse_certificate(cut, one.key).error(), "damaged"));
}

TEST_CASE("certificate_store: refuses an encrypted key without asking for a passphrase") {
  const std::string encrypted =
      "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
      "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhFUQYPeoe0iQICCAAw\n"
      "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEEdOeGqTmkxn7BGgBbbn3VYEgZCC\n"
      "KzH7b+o6gTEMx1ZBPQXyVqdxn2bQXkqC7gBAXJpVGxD1RCYVnjUV2gYfAQ9iD1qN\n"
      "-----END ENCRYPTED PRIVATE KEY-----\n";
  const auto data = parse_certificate(test::make_leaf({"a.test"}).certificate, encrypted);
  REQUIRE(data.has_error());
  CHECK(contains(data.error(), "private key is"));
}

TEST_CASE("certificate_store: errors of files name the file") {
  const test::Pem pem = test::make_leaf({"files.test"});
  const std::string certificate = test::temporary_path("files.crt");
  const std::string key = test::temporary_path("files.key");
  const std::string missing = test::temporary_path("missing.pem");
  test::write_text(certificate, pem.certificate);
  test::write_text(key, pem.key);
  const std::time_t now = std::time(nullptr);
  CHECK(contains(load_certificate_files(missing, key, now).error(), missing));
  CHECK(contains(load_certificate_files(certificate, missing, now).error(), missing));
  CHECK(contains(load_certificate_files(key, key, now).error(), key + ": no certificate"));
  CHECK(contains(load_certificate_files(certificate, certificate, now).error(),
                 certificate + ": no private key"));
}

TEST_CASE("certificate_store: an expired certificate and an open key are warnings") {
  const test::Pem pem = test::make_leaf({"old.test"});
  const std::string certificate = test::temporary_path("old.crt");
  const std::string key = test::temporary_path("old.key");
  test::write_text(certificate, pem.certificate);
  test::write_text(key, pem.key);
  std::filesystem::permissions(key, std::filesystem::perms(0644));
  const std::time_t day = 86400;
  const auto late = load_certificate_files(certificate, key, std::time(nullptr) + 2 * day);
  REQUIRE(late.has_value());
  REQUIRE(late->warnings.size() == 2);
  CHECK(contains(late->warnings[0], certificate + ": expired on "));
  CHECK(contains(late->warnings[1], key + ": every user can read"));
  std::filesystem::permissions(key, std::filesystem::perms(0640));
  const auto early = load_certificate_files(certificate, key, std::time(nullptr) - 2 * day);
  REQUIRE(early->warnings.size() == 1);
  CHECK(contains(early->warnings[0], "not valid before"));
}

TEST_CASE("certificate_store: finds exact names, then one-label wildcards, then the fallback") {
  const auto exact = certificate_for({"www.example.com"});
  const auto wildcard = certificate_for({"*.example.com"});
  const auto fallback = certificate_for({"fallback.test"});
  const std::vector<NamedCertificate> entries = {{"WWW.example.com", exact, false},
                                                 {"*.example.com", wildcard, false},
                                                 {"api.example.com", wildcard, true},
                                                 {"192.0.2.1", exact, false}};
  const CertificateStore store(entries, NamedCertificate{"", fallback});
  const auto found = [&store](std::string_view name) {
    return store.identities().at(store.find(name));
  };
  CHECK(found("www.example.com").certificate == exact);
  CHECK(found("other.example.com").certificate == wildcard);
  CHECK_FALSE(found("other.example.com").tls13_only);
  CHECK(found("api.example.com").tls13_only);
  CHECK(found("192.0.2.1").certificate == exact);
  CHECK(found("a.b.example.com").certificate == fallback);
  CHECK(found("example.com").certificate == fallback);
  CHECK(found(".example.com").certificate == fallback);
  CHECK(found("").certificate == fallback);
  CHECK(store.identities().size() == 4);

  const CertificateStore strict(entries);
  CHECK(strict.find("a.b.example.com") == CertificateStore::none);
  CHECK(strict.find("") == CertificateStore::none);
  CHECK(CertificateStore().find("example.com") == CertificateStore::none);
}

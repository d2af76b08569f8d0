#include "acme/internal_ca.hpp"

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>

#include <doctest/doctest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "acme/certificate.hpp"
#include "base/log.hpp"

using namespace portero;
using acme::InternalCa;

namespace {

namespace fs = std::filesystem;
constexpr std::time_t hour = 3600;
constexpr std::time_t day = 24 * hour;
constexpr std::time_t start = 1'800'000'000;

// A directory that goes at the end, and a log that is kept instead of printed.
struct Storage {
  fs::path path;

  class Lines final : public log::Sink {
   public:
    void append(std::string_view line) override { text += std::string(line) + "\n"; }
    std::string text;
  } lines;

  Storage() {
    std::string pattern = fs::temp_directory_path() / "portero-ca-XXXXXX";
    path = ::mkdtemp(pattern.data());
    log::set_sink(&lines);
  }
  ~Storage() {
    log::set_sink(nullptr);
    fs::remove_all(path);
  }
  std::string file(const std::string& name) const { return path / "internal" / name; }
  fs::path only_leaf() const {
    fs::path found;
    for (const auto& entry : fs::directory_iterator(path / "internal/leaves")) {
      if (entry.path().extension() == ".pem") found = entry.path();
    }
    return found;
  }
};

std::string content(const fs::path& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

void overwrite(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

unsigned mode_of(const fs::path& path) {
  return static_cast<unsigned>(fs::status(path).permissions());
}

// What a client with this root would say about the chain, for a host name or address.
int verdict(const net::CertificateData& certificate, const std::string& root_pem,
            const std::string& name, bool is_address, std::time_t now) {
  BIO* const bio = BIO_new_mem_buf(root_pem.data(), static_cast<int>(root_pem.size()));
  X509* const anchor = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  X509_STORE* const store = X509_STORE_new();
  X509_STORE_add_cert(store, anchor);
  STACK_OF(X509)* const chain = sk_X509_new_null();
  for (const auto& issuer : certificate.chain) sk_X509_push(chain, issuer.get());
  X509_STORE_CTX* const context = X509_STORE_CTX_new();
  X509_STORE_CTX_init(context, store, certificate.leaf.get(), chain);
  X509_VERIFY_PARAM* const parameters = X509_STORE_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_time(parameters, now);
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT);
  X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER);
  if (is_address) {
    X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str());
  } else {
    X509_VERIFY_PARAM_set1_host(parameters, name.c_str(), 0);
  }
  X509_verify_cert(context);
  const int result = X509_STORE_CTX_get_error(context);
  X509_STORE_CTX_free(context);
  sk_X509_free(chain);
  X509_STORE_free(store);
  X509_free(anchor);
  BIO_free(bio);
  return result;
}

}  // namespace

TEST_CASE("internal_ca: a leaf verifies up to the root for each of its names") {
  const Storage storage;
  InternalCa authority = InternalCa::open(storage.path, start);
  const auto leaf = authority.issue({"localhost", "*.App.test", "127.0.0.1", "::1"}, start);
  const std::string& root = authority.root_pem();
  CHECK(verdict(*leaf, root, "localhost", false, start) == X509_V_OK);
  CHECK(verdict(*leaf, root, "www.app.test", false, start) == X509_V_OK);
  CHECK(verdict(*leaf, root, "127.0.0.1", true, start) == X509_V_OK);
  CHECK(verdict(*leaf, root, "::1", true, start) == X509_V_OK);
  CHECK(verdict(*leaf, root, "other.test", false, start) == X509_V_ERR_HOSTNAME_MISMATCH);
  CHECK(verdict(*leaf, root, "localhost", false, start + 2 * day) == X509_V_ERR_CERT_HAS_EXPIRED);
  CHECK(leaf->not_after == start + InternalCa::leaf_seconds);
  CHECK(leaf->chain.size() == 1);
}

TEST_CASE("internal_ca: keys are readable by the owner alone, the root by everyone") {
  const Storage storage;
  InternalCa authority = InternalCa::open(storage.path, start);
  authority.issue({"localhost"}, start);
  CHECK(mode_of(storage.file("")) == 0700);
  CHECK(mode_of(storage.file("leaves")) == 0700);
  CHECK(mode_of(storage.file("root.key")) == 0600);
  CHECK(mode_of(storage.file("root.crt")) == 0644);
  CHECK(mode_of(storage.file("intermediate.pem")) == 0600);
  CHECK(mode_of(storage.only_leaf()) == 0600);
  CHECK(content(authority.root_path()) == authority.root_pem());
}

TEST_CASE("internal_ca: everything is there again after a restart") {
  const Storage storage;
  InternalCa first = InternalCa::open(storage.path, start);
  const auto before = first.issue({"b.test", "a.test"}, start);
  InternalCa second = InternalCa::open(storage.path, start + hour);
  const auto after = second.issue({"A.test", "b.test", "a.test"}, start + hour);
  CHECK(second.root_pem() == first.root_pem());
  CHECK(acme::certificate_pem(*after) == acme::certificate_pem(*before));
}

TEST_CASE("internal_ca: a leaf is renewed at two thirds of its life, the intermediate in time") {
  const Storage storage;
  InternalCa authority = InternalCa::open(storage.path, start);
  const auto first = authority.issue({"a.test"}, start);
  CHECK_FALSE(InternalCa::renew_due(*first, start + 15 * hour));
  CHECK(InternalCa::renew_due(*first, start + 16 * hour));
  CHECK(authority.issue({"a.test"}, start + 15 * hour)->not_after == first->not_after);

  std::set<std::string> intermediates;
  for (std::time_t now = start; now < start + 30 * day; now += 8 * hour) {
    const auto leaf = authority.issue({"a.test"}, now);
    CHECK(verdict(*leaf, authority.root_pem(), "a.test", false, now) == X509_V_OK);
    CHECK(verdict(*leaf, authority.root_pem(), "a.test", false, now + 8 * hour - 1) == X509_V_OK);
    intermediates.insert(leaf->issuer + std::to_string(leaf->chain[0].get() != nullptr) +
                         content(storage.file("intermediate.pem")));
  }
  CHECK(intermediates.size() >= 6);
  CHECK(intermediates.size() <= 8);
}

TEST_CASE("internal_ca: the root is replaced before leaves could outlive it") {
  const Storage storage;
  const InternalCa first = InternalCa::open(storage.path, start);
  InternalCa second = InternalCa::open(storage.path, start + InternalCa::root_seconds + day);
  CHECK(second.root_pem() != first.root_pem());
  const std::time_t now = start + InternalCa::root_seconds + day;
  const auto leaf = second.issue({"a.test"}, now);
  CHECK(verdict(*leaf, second.root_pem(), "a.test", false, now) == X509_V_OK);
}

TEST_CASE("internal_ca: a damaged leaf is set aside, reported and replaced") {
  Storage storage;
  InternalCa authority = InternalCa::open(storage.path, start);
  const auto before = authority.issue({"a.test"}, start);
  const fs::path path = storage.only_leaf();
  for (const std::string& damage :
       {std::string(), std::string("garbage"), content(path).substr(0, 300)}) {
    overwrite(path, damage);
    fs::remove(path.string() + ".bad");
    const auto after = authority.issue({"a.test"}, start);
    CHECK(acme::certificate_pem(*after) != acme::certificate_pem(*before));
    CHECK(content(path.string() + ".bad") == damage);
    CHECK(storage.lines.text.find("internal_ca.set_aside") != std::string::npos);
    CHECK(verdict(*after, authority.root_pem(), "a.test", false, start) == X509_V_OK);
  }
}

TEST_CASE("internal_ca: a damaged root means a new root, and no leaf of the old one") {
  Storage storage;
  const InternalCa first = InternalCa::open(storage.path, start);
  InternalCa(first).issue({"a.test"}, start);
  overwrite(storage.file("root.key"), "garbage");
  InternalCa second = InternalCa::open(storage.path, start);
  CHECK(second.root_pem() != first.root_pem());
  CHECK(fs::exists(storage.file("root.key.bad")));
  CHECK(fs::exists(storage.file("root.crt.bad")));
  const auto leaf = second.issue({"a.test"}, start);
  CHECK(verdict(*leaf, second.root_pem(), "a.test", false, start) == X509_V_OK);
}

TEST_CASE("internal_ca: a damaged intermediate costs no new root") {
  Storage storage;
  const InternalCa first = InternalCa::open(storage.path, start);
  overwrite(storage.file("intermediate.pem"), "garbage");
  InternalCa second = InternalCa::open(storage.path, start);
  CHECK(second.root_pem() == first.root_pem());
  CHECK(fs::exists(storage.file("intermediate.pem.bad")));
  const auto leaf = second.issue({"a.test"}, start);
  CHECK(verdict(*leaf, second.root_pem(), "a.test", false, start) == X509_V_OK);
}

TEST_CASE("internal_ca: names that cannot stand in a certificate are refused") {
  const Storage storage;
  InternalCa authority = InternalCa::open(storage.path, start);
  for (const std::string& name :
       {std::string(), std::string("a b.test"), std::string("a.test,DNS:evil.test"),
        std::string("a..test"), std::string("*.*.test"), std::string("a.*.test"),
        std::string("-a.test"), std::string("a.test."), std::string("../../etc/passwd"),
        std::string(300, 'a'), std::string("a\0b.test", 8), std::string("m\xc3\xbcnchen.test")}) {
    CHECK_THROWS_AS(authority.issue({name}, start), std::runtime_error);
  }
  CHECK_THROWS_AS(authority.issue({}, start), std::runtime_error);
}

TEST_CASE("internal_ca: a storage that cannot be written is an error that names it") {
  const Storage storage;
  overwrite(storage.path / "file", "");
  const std::string path = storage.path / "file";
  CHECK_THROWS_AS(InternalCa::open(path, start), std::runtime_error);
}

TEST_CASE("internal_ca: no temporary file is left behind") {
  const Storage storage;
  InternalCa authority = InternalCa::open(storage.path, start);
  authority.issue({"a.test"}, start);
  for (const auto& entry : fs::recursive_directory_iterator(storage.path)) {
    CHECK_FALSE(entry.path().filename().string().starts_with(".portero-"));
  }
}

TEST_CASE("internal_ca: leaves that nobody renews go a week after their end") {
  Storage storage;
  InternalCa authority = InternalCa::open(storage.path, start);
  authority.issue({"kept.test"}, start);
  authority.issue({"gone.test"}, start);
  const auto count = [&] {
    std::size_t leaves = 0;
    for (const auto& entry : fs::directory_iterator(storage.path / "internal/leaves")) {
      leaves += entry.path().extension() == ".pem" ? 1 : 0;
    }
    return leaves;
  };
  authority.remove_old_leaves(start + 7 * day);
  CHECK(count() == 2);
  authority.issue({"kept.test"}, start + 8 * day + hour);
  authority.remove_old_leaves(start + 8 * day + hour);
  CHECK(count() == 1);
  CHECK(storage.only_leaf().filename().string().starts_with("kept.test"));
  InternalCa::open(storage.path, start + 30 * day);
  CHECK(count() == 0);
}

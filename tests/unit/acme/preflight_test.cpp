#include "acme/preflight.hpp"

#include <doctest/doctest.h>

using namespace portero::acme;

TEST_CASE("preflight: CAA allows whom it names, and everybody when it names nobody") {
  const std::vector<std::string> ours{"letsencrypt.org"};
  CHECK(caa_allows({}, false, ours));
  CHECK(caa_allows({{0, "iodef", "mailto:a@example.com"}}, false, ours));
  CHECK(caa_allows({{0, "issue", " LetsEncrypt.org ; validationmethods=dns-01"}}, false, ours));
  CHECK_FALSE(caa_allows({{0, "issue", "other.example"}}, false, ours));
  CHECK_FALSE(caa_allows({{0, "issue", ";"}}, false, ours));
  CHECK(caa_allows({{0, "issue", ";"}, {0, "issue", "letsencrypt.org"}}, false, ours));
}

TEST_CASE("preflight: CAA for wildcards goes by issuewild where there is one") {
  const std::vector<std::string> ours{"letsencrypt.org"};
  const CaaRecord all{0, "issue", "letsencrypt.org"};
  const CaaRecord no_wildcards{0, "issuewild", ";"};
  CHECK(caa_allows({all}, true, ours));
  CHECK_FALSE(caa_allows({all, no_wildcards}, true, ours));
  CHECK(caa_allows({all, no_wildcards}, false, ours));
}

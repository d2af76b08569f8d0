#include "rehearsal.hpp"

#include <fstream>
#include <sstream>

#include <doctest/doctest.h>

#include "conf/load.hpp"
#include "proxy/health_check.hpp"

using namespace portero;

namespace {

std::vector<std::string> rehearse_text(const std::string& text) {
  const conf::MemoryFiles files(
      {{"site.yaml", text},
       {"/var/www/app/.env", "REVERB_APP_ID=1\nREVERB_APP_KEY=key\nREVERB_APP_SECRET=secret\n"},
       {"/tls/cert.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"},
       {"/tls/key.pem", "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"}});
  const conf::Variables environment = {
      {"REVERB_APP_ID", "1"}, {"REVERB_APP_KEY", "key"}, {"REVERB_APP_SECRET", "secret"}};
  const conf::LoadResult loaded = conf::load_config("site.yaml", {environment, &files});
  for (const conf::Problem& problem : loaded.errors) MESSAGE(conf::format_problem(problem));
  REQUIRE(loaded.config);
  return rehearse(*loaded.config);
}

}  // namespace

TEST_CASE("rehearsal: the examples of the site file's contract can be served") {
  for (const char* const name : {"example_seed", "example_laravel", "example_routes"}) {
    CAPTURE(name);
    std::ostringstream text;
    text << std::ifstream(std::string(PORTERO_SOURCE_DIR "/tests/unit/conf/golden/") + name +
                          ".yaml")
                .rdbuf();
    CHECK(rehearse_text(text.str()) == std::vector<std::string>{});
  }
}

TEST_CASE("rehearsal: no upstream is asked for its health") {
  const std::string text = R"(
sites:
  a.test: {proxy: {to: "127.0.0.1:9", health: {path: /up, every: 1s}}}
)";
  CHECK(rehearse_text(text) == std::vector<std::string>{});
  CHECK(proxy::HealthCheck::running() == 0);
}

TEST_CASE("rehearsal: each site's fault is told with its place") {
  const std::vector<std::string> failures = rehearse_text(R"(
sites:
  fine.test: {respond: ok}
  own.test: {respond: ok, tls: {cert: /tls/cert.pem, key: /tls/key.pem}}
  up.test:
    routes:
      - {match: /x, proxy: {to: "https://a", tls: {cert: /tls/cert.pem, key: /tls/key.pem}}}
      - respond: ok
  log.test: {respond: ok, log: {file: /x.log, group: no-such-group}}
  mutual.test: {respond: ok, tls: {client_auth: {mode: verify, ca: /tls/cert.pem}}}
)");
  REQUIRE(failures.size() == 4);
  CHECK(failures[0].starts_with("site.yaml:4: tls: /tls/cert.pem"));
  CHECK(failures[1].starts_with("site.yaml:7: https://a: "));
  CHECK(failures[2].starts_with("site.yaml:9: log: there is no group \"no-such-group\""));
  CHECK(failures[3].starts_with("site.yaml:10: tls.client_auth: /tls/cert.pem: "));
}

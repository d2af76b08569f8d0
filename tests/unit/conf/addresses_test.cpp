#include "conf/addresses.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace portero::conf {
namespace {

// "tls host|port", "unix path" or "!message".
std::string upstream(std::string_view text) {
  const Parsed<UpstreamAddress> parsed = parse_upstream(text);
  if (!parsed) return "!" + parsed.error().suggestion;
  CHECK(parsed->text == text);
  if (!parsed->unix_path.empty()) return "unix " + parsed->unix_path;
  return fmt::format("{}{}|{}", parsed->tls ? "tls " : "", parsed->host, parsed->port);
}

std::string site(std::string_view text) {
  const Parsed<ParsedSiteName> parsed = parse_site_name(text);
  if (!parsed) return "!" + parsed.error().suggestion;
  CHECK(parsed->name.text == text);
  return fmt::format("{}{}{}|{}", parsed->name.plain_http ? "http " : "",
                     parsed->https ? "https " : "", parsed->name.host, parsed->name.port);
}

std::string listen(std::string_view text) {
  const Parsed<ListenAddress> parsed = parse_listen(text);
  if (!parsed) return "!" + parsed.error().suggestion;
  return fmt::format("{}{}", parsed->text(), parsed->loopback ? " loopback" : "");
}

}  // namespace

TEST_CASE("addresses: upstreams are host and port, a URL without path, or a unix socket") {
  CHECK(upstream("nginx:80") == "nginx|80");
  CHECK(upstream("Nginx-API_1:8080") == "nginx-api_1|8080");
  CHECK(upstream("10.0.0.2:8000") == "10.0.0.2|8000");
  CHECK(upstream("[::1]:80") == "[::1]|80");
  CHECK(upstream(":9000") == "127.0.0.1|9000");
  CHECK(upstream("http://nginx") == "nginx|80");
  CHECK(upstream("http://10.0.0.2:8000") == "10.0.0.2|8000");
  CHECK(upstream("https://host") == "tls host|443");
  CHECK(upstream("HTTPS://host:8443") == "tls host|8443");
  CHECK(upstream("https://[2001:db8::1]") == "tls [2001:db8::1]|443");
  CHECK(upstream("unix:/run/x.sock") == "unix /run/x.sock");
  CHECK(upstream("unix:///run/x.sock") == "unix /run/x.sock");
}

TEST_CASE("addresses: an upstream with a slip is understood") {
  CHECK(upstream("nginx") == "!nginx:80");
  CHECK(upstream("9000") == "!127.0.0.1:9000");
  CHECK(upstream("http://nginx/api") == "!http://nginx");
  CHECK(upstream("nginx:80/") == "!nginx:80");
  CHECK(upstream("ws://nginx:80") == "!http://nginx:80");
  CHECK(upstream("wss://nginx") == "!https://nginx");
  CHECK(upstream("unix:run/x.sock") == "!unix:/run/x.sock");
  CHECK(upstream("fastcgi://php:9000") == "!http://php:9000");
}

TEST_CASE("addresses: what is not an upstream is refused") {
  for (const std::string_view text :
       {"",
        ":",
        ":0",
        "nginx:",
        "nginx:0",
        "nginx:65536",
        "nginx:8x",
        "a b:80",
        "1.2.3:80",
        "1.2.3.4.5:80",
        "256.1.1.1:80",
        "-a:80",
        "a-:80",
        "a..b:80",
        "[::1:80",
        "::1:80",
        "[zz]:80",
        "http://",
        "https://:",
        "unix:",
        "{host}:80",
        "user@host:80",
        "münchen:80",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:80"}) {
    CAPTURE(text);
    CHECK(!parse_upstream(text).has_value());
  }
  CHECK(!parse_upstream("unix:/" + std::string(107, 'a')).has_value());
  CHECK(parse_upstream("unix:/" + std::string(106, 'a')).has_value());
}

TEST_CASE("addresses: site names may have a scheme, a wildcard and a port") {
  CHECK(site("example.com") == "example.com|0");
  CHECK(site("Example.COM.") == "example.com|0");
  CHECK(site("*.example.com") == "*.example.com|0");
  CHECK(site("http://plain.example.com") == "http plain.example.com|0");
  CHECK(site("https://example.com:8443") == "https example.com|8443");
  CHECK(site(":8080") == "|8080");
  CHECK(site("localhost:8443") == "localhost|8443");
  CHECK(site("192.0.2.1") == "192.0.2.1|0");
  CHECK(site("[::1]:8443") == "[::1]|8443");
  CHECK(site("xn--mnchen-3ya.de") == "xn--mnchen-3ya.de|0");
}

TEST_CASE("addresses: what is not a site name is refused") {
  CHECK(site("*") == "!:443");
  CHECK(site("example.com/app") == "!example.com");
  CHECK(site("http://example.com/") == "!http://example.com");
  CHECK(site("ftp://example.com") == "!example.com");
  for (const std::string_view text : {"", ".", ":", "a:0", "a.*.b", "*a.b", "**.b", "a b", "{host}",
                                      "::1", "[::1", "1.2.3", "a:1:2", "http://", "münchen.de"}) {
    CAPTURE(text);
    CHECK(!parse_site_name(text).has_value());
  }
}

TEST_CASE("addresses: the key of a site block is split at commas") {
  CHECK(split_site_names("a, b ,c") == std::vector<std::string_view>{"a", "b", "c"});
  CHECK(split_site_names("a") == std::vector<std::string_view>{"a"});
  CHECK(split_site_names("a,,b,") == std::vector<std::string_view>{"a", "", "b", ""});
}

TEST_CASE("addresses: named networks stand for several") {
  CHECK(parse_networks("10.0.0.0/8")->size() == 1);
  CHECK(parse_networks("2001:db8::/32")->front() == "2001:db8::/32");
  CHECK(parse_networks("192.0.2.1")->front() == "192.0.2.1");
  CHECK(parse_networks("private")->size() == 6);
  CHECK(parse_networks("loopback")->size() == 2);
  CHECK(parse_networks("cloudflare")->size() == 22);
  CHECK(parse_networks("privat").error().suggestion == "private");
  for (const std::string_view text : {"", "10.0.0.0/33", "10.0.0.0/", "10.0.0", "::/129", "all"}) {
    CAPTURE(text);
    CHECK(!parse_networks(text).has_value());
  }
}

TEST_CASE("addresses: listeners know whether they are on the loopback interface") {
  CHECK(listen("127.0.0.1:8080") == "127.0.0.1:8080 loopback");
  CHECK(listen("127.9.9.9:1") == "127.9.9.9:1 loopback");
  CHECK(listen("[::1]:8080") == "[::1]:8080 loopback");
  CHECK(listen("localhost:8080") == "127.0.0.1:8080 loopback");
  CHECK(listen("0.0.0.0:8080") == "0.0.0.0:8080");
  CHECK(listen(":8080") == "0.0.0.0:8080");
  CHECK(listen("[::]:8080") == "[::]:8080");
  CHECK(listen("8080") == "!127.0.0.1:8080");
  CHECK(listen("127.0.0.1") == "!127.0.0.1:8080");
  for (const std::string_view text : {"", ":", "host:80", "127.0.0.1:0", "127.0.0.1:99999"}) {
    CAPTURE(text);
    CHECK(!parse_listen(text).has_value());
  }
}

TEST_CASE("addresses: IPv6 addresses to bind come back in brackets") {
  CHECK(*parse_bind("0.0.0.0") == "0.0.0.0");
  CHECK(*parse_bind("::1") == "[::1]");
  CHECK(*parse_bind("[::]") == "[::]");
  CHECK(parse_bind("localhost").error().suggestion == "127.0.0.1");
  for (const std::string_view text : {"", "*", "0.0.0.0:80", "[::", "a"}) {
    CAPTURE(text);
    CHECK(!parse_bind(text).has_value());
  }
}

TEST_CASE("addresses: host patterns are hosts with stars") {
  CHECK(*parse_host_pattern("*") == "*");
  CHECK(*parse_host_pattern("*.Example.com") == "*.example.com");
  CHECK(*parse_host_pattern("shop-*.example.com") == "shop-*.example.com");
  CHECK(parse_host_pattern("https://a.test:8443").error().suggestion == "a.test");
  CHECK(parse_host_pattern("a.test:80").error().suggestion == "a.test");
  CHECK(!parse_host_pattern("").has_value());
  CHECK(!parse_host_pattern("a b").has_value());
}

TEST_CASE("addresses: internal names are those that no public authority signs for") {
  for (const std::string_view host :
       {"localhost", "app.localhost", "b.test", "db.internal", "nas.local", "pi.home.arpa", "nginx",
        "127.0.0.1", "[::1]", "192.0.2.1"}) {
    CAPTURE(host);
    CHECK(is_internal_name(host));
  }
  for (const std::string_view host :
       {"example.com", "test.example.com", "localhost.example.com", "*.example.com",
        "contest"
        ".de"}) {
    CAPTURE(host);
    CHECK(!is_internal_name(host));
  }
}

}  // namespace portero::conf

#include "net/proxy_header.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace portero;
using namespace portero::net;

namespace {

const std::string signature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string version_2(char command, char family, std::string_view rest) {
  std::string header = signature;
  header += command;
  header += family;
  header += static_cast<char>(rest.size() >> 8);
  header += static_cast<char>(rest.size() & 255);
  return header.append(rest);
}

// "size address port", "more" or "refused".
std::string parsed(std::string_view bytes) {
  const Result<ParsedProxyHeader> header = parse_proxy_header(bytes);
  if (!header) return "refused";
  if (header->size == 0) return "more";
  std::string text = std::to_string(header->size);
  if (header->peer) {
    text += " " + header->peer->address.to_string() + " " + std::to_string(header->peer->port);
  }
  return text;
}

}  // namespace

TEST_CASE("proxy_header: version 1") {
  CHECK(parsed("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\nGET /") == "45 192.0.2.1 56324");
  CHECK(parsed("PROXY TCP6 2001:db8::1 ::1 1 2\r\n") == "32 2001:db8::1 1");
  CHECK(parsed("PROXY UNKNOWN\r\n") == "15");
  CHECK(parsed("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n") == "35");
  for (const char* const bad :
       {"PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n", "PROXY TCP4 192.0.2.1\r\n",
        "PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n", "PROXY TCP4 x 198.51.100.1 1 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 1 65536\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 1 2 3\r\n", "GET / HTTP/1.1\r\n", "\x16\x03\x01",
        "PROXYTCP4", "\r\n\r\nX"}) {
    CAPTURE(bad);
    CHECK(parsed(bad) == "refused");
  }
  CHECK(parsed("PROXY " + std::string(200, 'x')) == "refused");
}

TEST_CASE("proxy_header: version 2") {
  const std::string v4("\xc0\x00\x02\x01\xc6\x33\x64\x01\x12\x34\x01\xbb", 12);
  CHECK(parsed(version_2(0x21, 0x11, v4)) == "28 192.0.2.1 4660");
  CHECK(parsed(version_2(0x21, 0x11, v4 + std::string("\x03\x00\x01x", 4)) + "GET") ==
        "32 192.0.2.1 4660");
  std::string v6(36, '\0');
  v6[0] = 0x20;
  v6[1] = 0x01;
  v6[15] = 7;
  v6[33] = 80;
  CHECK(parsed(version_2(0x21, 0x21, v6)) == "52 2001::7 80");
  CHECK(parsed(version_2(0x20, 0x00, "")) == "16");  // LOCAL: a health check of the balancer
  CHECK(parsed(version_2(0x20, 0x11, v4)) == "28");
  CHECK(parsed(version_2(0x21, 0x31, std::string(216, 'x'))) == "232");  // a unix socket
  CHECK(parsed(version_2(0x21, 0x11, "short")) == "21");
  CHECK(parsed(version_2(0x22, 0x11, v4)) == "refused");
  CHECK(parsed(version_2(0x11, 0x11, v4)) == "refused");
  CHECK(parsed(version_2(0x21, 0x11, std::string(600, 'x'))) == "refused");
}

TEST_CASE("proxy_header: wherever it is cut, more is waited for") {
  const std::string v4("\xc0\x00\x02\x01\xc6\x33\x64\x01\x12\x34\x01\xbb", 12);
  for (const std::string& whole :
       {std::string("PROXY TCP4 192.0.2.1 198.51.100.1 1 2\r\n"), version_2(0x21, 0x11, v4)}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      CAPTURE(size);
      CHECK(parsed(std::string_view(whole).substr(0, size)) == "more");
    }
  }
}

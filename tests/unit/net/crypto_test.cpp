#include "net/crypto.hpp"

#include <set>

#include <doctest/doctest.h>

using namespace portero::net;

namespace {

constexpr std::string_view secret = "7ad3773142a6692b25b8";
constexpr std::string_view event_body =
    R"({"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"})";

}  // namespace

TEST_CASE("crypto: signs a publish of the Pusher HTTP API as its documentation does") {
  CHECK(md5_hex(event_body) == "ec365a775a4cd0599faeb73354201b6f");
  const std::string signed_text =
      "POST\n/apps/3/events\nauth_key=278d425bdf160c739803&auth_timestamp=1353088179"
      "&auth_version=1.0&body_md5=ec365a775a4cd0599faeb73354201b6f";
  CHECK(hmac_sha256_hex(secret, signed_text) ==
        "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c");
}

TEST_CASE("crypto: signs a private channel as the Pusher documentation does") {
  CHECK(hmac_sha256_hex(secret, "1234.1234:private-foobar") ==
        "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4");
}

TEST_CASE("crypto: an empty key is a key, not the key of the call before") {
  CHECK(hmac_sha256_hex("key", "text") != hmac_sha256_hex({}, "text"));
  CHECK(hmac_sha256_hex({}, {}) ==
        "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST_CASE("crypto: digests of the empty text") {
  CHECK(md5_hex({}) == "d41d8cd98f00b204e9800998ecf8427e");
  CHECK(sha256_hex({}) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_CASE("crypto: answers the sample key of RFC 6455") {
  CHECK(sha1_base64("dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11") ==
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("crypto: base64 of RFC 4648 section 10") {
  CHECK(base64_encode("") == "");
  CHECK(base64_encode("f") == "Zg==");
  CHECK(base64_encode("fo") == "Zm8=");
  CHECK(base64_encode("foo") == "Zm9v");
  CHECK(base64_encode("foob") == "Zm9vYg==");
  CHECK(base64_encode("fooba") == "Zm9vYmE=");
  CHECK(base64_encode("foobar") == "Zm9vYmFy");
  CHECK(base64_encode("\xff\xfe\xfd") == "//79");
}

TEST_CASE("crypto: random values do not repeat") {
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random_u64());
  CHECK(seen.size() == 1000);
  CHECK(random_bytes(33).size() == 33);
}

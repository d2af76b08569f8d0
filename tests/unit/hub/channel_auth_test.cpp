#include "hub/channel_auth.hpp"

#include <optional>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

using namespace portero::hub;

namespace {

struct Claim {
  std::string_view socket_id;
  std::string_view channel;
  std::optional<std::string_view> channel_data;
  std::string auth;
};

const std::string private_signature =
    "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4";
const std::string presence_signature =
    "31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80";
const std::string user_signature =
    "4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba";
constexpr std::string_view presence_data = R"({"user_id":10,"user_info":{"name":"Mr. Channels"}})";

ChannelAuth verify(const Claim& claim) {
  const std::string_view* const data = claim.channel_data ? &*claim.channel_data : nullptr;
  return check_channel_auth(claim.auth, "278d425bdf160c739803", "7ad3773142a6692b25b8",
                            channel_string_to_sign(claim.socket_id, claim.channel, data));
}

std::string signed_by(const std::string& signature) { return "278d425bdf160c739803:" + signature; }

}  // namespace

TEST_CASE("channel_auth: accepts the vectors of the Pusher protocol") {
  const std::string private_auth = signed_by(private_signature);
  const std::string presence_auth = signed_by(presence_signature);
  const std::string user_auth = signed_by(user_signature);
  CHECK(verify({"1234.1234", "private-foobar", {}, private_auth}) == ChannelAuth::ok);
  CHECK(verify({"1234.1234", "presence-foobar", presence_data, presence_auth}) == ChannelAuth::ok);
  // What signs a user in has the same form: socket_id "::user::" user_data.
  CHECK(verify({"1234.1234", ":user:", R"({"id":"12345"})", user_auth}) == ChannelAuth::ok);
}

TEST_CASE("channel_auth: refuses a signature for anything else than what is claimed") {
  const std::string private_auth = signed_by(private_signature);
  const std::string presence_auth = signed_by(presence_signature);
  const Claim claims[] = {
      {"1234.1235", "private-foobar", {}, private_auth},
      {"1234.1234", "private-foobaz", {}, private_auth},
      {"1234.1234", "private-foobar", "{}", private_auth},
      {"1234.1234", "private-foobar", "", private_auth},
      {"1234.1234", "presence-foobar", {}, presence_auth},
      {"1234.1234", "presence-foobar", R"({"user_id":11,"user_info":{"name":"Mr. Channels"}})",
       presence_auth},
      {"1234.1234", "presence-foobar", presence_data, private_auth},
  };
  for (const Claim& claim : claims) {
    CAPTURE(claim.channel);
    CHECK(verify(claim) == ChannelAuth::bad_signature);
  }
}

TEST_CASE("channel_auth: refuses every signature that differs in one place or in length") {
  for (std::size_t at = 0; at < private_signature.size(); ++at) {
    std::string changed = private_signature;
    changed[at] = changed[at] == '0' ? '1' : '0';
    CHECK(verify({"1234.1234", "private-foobar", {}, signed_by(changed)}) ==
          ChannelAuth::bad_signature);
  }
  for (const std::string& wrong :
       {std::string(), private_signature.substr(1), private_signature + "0",
        private_signature + ":" + private_signature, std::string(64, 'A')}) {
    CHECK(verify({"1234.1234", "private-foobar", {}, signed_by(wrong)}) ==
          ChannelAuth::bad_signature);
  }
}

TEST_CASE("channel_auth: tells a foreign key from a wrong signature") {
  for (const std::string key : {"abc:", ":", "278d425bdf160c73980:", "278d425bdf160c7398033:"}) {
    CAPTURE(key);
    CHECK(verify({"1234.1234", "private-foobar", {}, key + private_signature}) ==
          ChannelAuth::foreign_key);
  }
}

TEST_CASE("channel_auth: tells a missing auth from one without a key") {
  CHECK(verify({"1234.1234", "private-foobar", {}, ""}) == ChannelAuth::missing);
  CHECK(verify({"1234.1234", "private-foobar", {}, private_signature}) ==
        ChannelAuth::bad_signature);
}

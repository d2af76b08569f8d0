#include "hub/channel_auth.hpp"

#include "base/bytes.hpp"
#include "net/crypto.hpp"

namespace portero::hub {

std::string channel_string_to_sign(std::string_view socket_id, std::string_view channel,
                                   const std::string_view* channel_data) {
  std::string text(socket_id);
  text += ':';
  text += channel;
  if (channel_data != nullptr) {
    text += ':';
    text += *channel_data;
  }
  return text;
}

ChannelAuth check_channel_auth(std::string_view auth, std::string_view key, std::string_view secret,
                               std::string_view string_to_sign) {
  if (auth.empty()) return ChannelAuth::missing;
  const std::size_t colon = auth.find(':');
  if (colon == std::string_view::npos) return ChannelAuth::bad_signature;
  if (auth.substr(0, colon) != key) return ChannelAuth::foreign_key;
  const std::string expected = net::hmac_sha256_hex(secret, string_to_sign);
  return equal_constant_time(expected, auth.substr(colon + 1)) ? ChannelAuth::ok
                                                               : ChannelAuth::bad_signature;
}

}  // namespace portero::hub

// The token that lets a socket into a private or presence channel: "<key>:<hex HMAC-SHA256 of
// socket_id:channel[:channel_data] under the app's secret>", made by the app's own server.
// Thread: any (pure).
#pragma once

#include <string>
#include <string_view>

namespace portero::hub {

enum class ChannelAuth { ok, missing, foreign_key, bad_signature };

// The text that is signed; channel_data follows only when the client sent any.
std::string channel_string_to_sign(std::string_view socket_id, std::string_view channel,
                                   const std::string_view* channel_data);

// Compares in constant time.
ChannelAuth check_channel_auth(std::string_view auth, std::string_view key, std::string_view secret,
                               std::string_view string_to_sign);

}  // namespace portero::hub

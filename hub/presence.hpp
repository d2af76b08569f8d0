// Roster: who is in a presence channel. Users are told apart by the text of their id ("1" and 1 are
// one user, "0" is a user like any other); a user counts once however many sockets they have, and
// the user_info of the first socket wins.
// Thread: the channel's home shard.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "hub/keyed_hash.hpp"
#include "hub/pusher_protocol.hpp"

namespace portero::hub {

class Roster {
 public:
  enum class Join : std::uint8_t { first_of_user, again, full };

  // Adds one socket of a user. Limits: `members_max` distinct users; then `full`, and nothing has
  // changed.
  Join join(const MemberData& member, std::size_t members_max);
  // Removes one socket of a user; returns the user's id as JSON when it was their last.
  std::optional<std::string> leave(std::string_view key);

  std::size_t user_count() const noexcept { return members_.size(); }
  // {"count":2,"ids":["1","2"],"hash":{"1":{…},"2":{…}}}
  std::string to_json() const;
  // The ids as JSON values.
  std::vector<std::string> ids() const;

 private:
  struct Member {
    std::string id;    // JSON
    std::string info;  // JSON, or ""
    std::size_t sockets = 1;
  };
  std::unordered_map<std::string, Member, KeyedHash, std::equal_to<>> members_;  // by key
};

}  // namespace portero::hub

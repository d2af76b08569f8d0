#include "hub/presence.hpp"

#include "base/assert.hpp"
#include "hub/pusher_frames.hpp"

namespace portero::hub {

Roster::Join Roster::join(const MemberData& member, std::size_t members_max) {
  if (const auto found = members_.find(member.key); found != members_.end()) {
    ++found->second.sockets;
    return Join::again;
  }
  if (members_.size() >= members_max) return Join::full;
  members_.emplace(member.key, Member{member.id, member.info});
  return Join::first_of_user;
}

std::optional<std::string> Roster::leave(std::string_view key) {
  const auto found = members_.find(key);
  PORTERO_ASSERT(found != members_.end());
  if (--found->second.sockets > 0) return std::nullopt;
  std::string id = std::move(found->second.id);
  members_.erase(found);
  return id;
}

std::string Roster::to_json() const {
  std::string ids;
  std::string hash;
  for (const auto& [key, member] : members_) {
    const char* const comma = ids.empty() ? "" : ",";
    // The ids are strings, as the keys of the hash are: clients look one up by the other.
    ids += comma;
    ids += '"';
    append_json_text(ids, key);
    ids += '"';
    hash += comma;
    hash += '"';
    append_json_text(hash, key);
    hash += "\":";
    hash += member.info.empty() ? "null" : member.info;
  }
  std::string out = R"({"count":)" + std::to_string(members_.size()) + R"(,"ids":[)";
  out += ids;
  out += R"(],"hash":{)";
  out += hash;
  out += "}}";
  return out;
}

std::vector<std::string> Roster::ids() const {
  std::vector<std::string> ids;
  ids.reserve(members_.size());
  for (const auto& [key, member] : members_) ids.push_back(member.id);
  return ids;
}

}  // namespace portero::hub

// Fields that belong to one connection and are never passed on.
// Pure. Thread: any. Source: RFC 9110 §7.6.1; RFC 9113 §3.1 for h2c; httpoxy for Proxy.
#pragma once

#include "http/header_list.hpp"

namespace portero::proxy {

// Whether a field is hop-by-hop by its name: Connection, Keep-Alive, TE, Trailer,
// Transfer-Encoding, Upgrade, HTTP2-Settings, Proxy and everything that begins with "Proxy-".
bool is_hop_by_hop(const http::Field& field) noexcept;

// The fields that Connection nominates in a message. Host and what frames the body cannot be
// nominated: nobody may take them away from a message.
class NominatedFields {
 public:
  explicit NominatedFields(const http::HeaderList& fields) noexcept;
  bool contain(const http::Field& field) const noexcept;

 private:
  const http::HeaderList& fields_;
  bool any_ = false;  // Connection names more than itself, keep-alive, close and upgrade
};

// Whether a field goes on to the next hop; framing is not judged here.
inline bool is_end_to_end(const http::Field& field, const NominatedFields& nominated) noexcept {
  return !is_hop_by_hop(field) && !nominated.contain(field);
}

}  // namespace portero::proxy

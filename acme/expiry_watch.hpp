// Notices certificates that come near their end, whoever is to renew them.
// Thread: the owner's. Owner: the server. Pure: no clock, no log.
#pragma once

#include <ctime>
#include <map>
#include <string>
#include <vector>

#include "acme/event.hpp"

namespace portero::acme {

struct WatchedCertificate {
  std::string name;
  std::string issuer;
  std::time_t not_before = 0;
  std::time_t not_after = 0;
};

class ExpiryWatch {
 public:
  // What is new since the last call: each certificate's passing of one of `days_left`, and its end,
  // once each. A number that is more than a third of a certificate's life does not count for it, as
  // that one is renewed later.
  std::vector<Event> look(const std::vector<WatchedCertificate>& all,
                          const std::vector<unsigned>& days_left, std::time_t now);

 private:
  struct Told {
    std::time_t not_after = 0;
    unsigned days = 0;
  };
  std::map<std::string, Told> told_;
};

}  // namespace portero::acme

// NameLookup: looks upstream names up with the system's resolver, several at a time. A look-up
// cannot be given a deadline or be ended, so each has a thread of its own that may outlast the wait
// for it, and this object too; a name whose look-up still runs is not asked for a second time.
// Thread: any.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "generation.hpp"

namespace portero {

class NameLookup {
 public:
  using Addresses = std::vector<net::SocketAddress>;
  // Blocks as long as it likes.
  using Resolve = Addresses (*)(const std::string& host, std::uint16_t port);

  explicit NameLookup(Resolve function);
  // Ends the wait of every resolve(), now and later.
  void stop();

  // Looks all names up and returns what was found within `wait_max`, or until stop().
  // Limits: one thread for each name that is being looked up.
  ResolvedNames resolve(const std::vector<UpstreamName>& names, std::chrono::milliseconds wait_max);

 private:
  struct Lookup {
    bool done = false;
    Addresses found;
  };
  struct State;  // shared with the threads

  std::shared_ptr<Lookup> begin(const UpstreamName& name);

  std::shared_ptr<State> state_;
};

}  // namespace portero

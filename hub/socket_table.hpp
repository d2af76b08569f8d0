// SocketTable: the sockets of one shard by slot, and when each must be looked at next. Looking at
// what is due is a walk over 16 bytes per socket: 100,000 sockets are 1.6 MB, five times a second.
// Thread: the shard.
#pragma once

#include <cstdint>
#include <vector>

#include "hub/socket.hpp"

namespace portero::hub {

class SocketTable {
 public:
  explicit SocketTable(std::uint32_t worker) noexcept : worker_(worker) {}

  // Gives the socket its ref.
  void add(Socket& socket, Deciseconds check_at);
  void remove(Socket& socket) noexcept;
  // nullptr when that socket has gone.
  Socket* find(const SocketRef& ref) const noexcept;
  void check_at(const Socket& socket, Deciseconds when) noexcept {
    slots_[socket.ref.slot].check_at = when;
  }
  std::size_t size() const noexcept { return size_; }
  std::size_t slot_count() const noexcept { return slots_.size(); }

  // Calls `visit(socket)` for the sockets whose time has come (for all). `visit` may change
  // check_at, but must not add or remove sockets.
  template <class Visit>
  void for_each_due(Deciseconds now, Visit&& visit) {
    for (Slot& slot : slots_) {
      if (slot.socket != nullptr && slot.check_at <= now) visit(*slot.socket);
    }
  }
  template <class Visit>
  void for_each(Visit&& visit) {
    for (Slot& slot : slots_) {
      if (slot.socket != nullptr) visit(*slot.socket);
    }
  }
  // The same for at most `count` sockets, from slot `begin` on; returns the slot to go on from.
  template <class Visit>
  std::size_t for_some(std::size_t begin, std::size_t count, Visit&& visit) {
    for (; begin < slots_.size() && count > 0; ++begin) {
      if (slots_[begin].socket == nullptr) continue;
      --count;
      visit(*slots_[begin].socket);
    }
    return begin;
  }

 private:
  struct Slot {
    Socket* socket = nullptr;
    std::uint32_t generation = 0;
    Deciseconds check_at = 0;
  };
  static_assert(sizeof(Slot) == 16);

  std::uint32_t worker_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::size_t size_ = 0;
};

}  // namespace portero::hub
